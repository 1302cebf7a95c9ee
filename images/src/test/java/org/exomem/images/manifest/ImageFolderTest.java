package org.exomem.images.manifest;

import static java.nio.file.StandardOpenOption.APPEND;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.manifest.ImageWriter.Step;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.images.signature.ImageSignature;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Tag("IMG-2")
class ImageFolderTest {
    @TempDir
    private Path above;

    private Path folder;
    private final List<Step> steps = new ArrayList<>();

    @BeforeEach
    void save() throws IOException {
        folder = above.resolve("web");
        Saved.in(folder, steps::add);
    }

    private void assertFault(Fault fault, String text, ThrowingCallable call) {
        assertThatThrownBy(call)
                .hasMessageContaining(folder.toString())
                .hasMessageContaining(text)
                .asInstanceOf(InstanceOfAssertFactories.type(ImageException.class))
                .extracting(ImageException::fault)
                .isEqualTo(fault);
    }

    private void assertNotOpened(Fault fault, String text) {
        assertFault(fault, text, () -> ImageFolder.open(folder));
    }

    @Test
    void savedVmIsFoundWhole() throws IOException {
        ImageFolder image = ImageFolder.open(folder);

        assertThat(image.manifest().vm()).isEqualTo("web");
        assertThat(image.manifest().ram()).extracting(Manifest.Ram::name).isEqualTo(Saved.RAM);
        assertThat(image.manifestBytes()).isEqualTo(Files.readAllBytes(folder.resolve("manifest.json")));
        assertThat(image.state()).hasBinaryContent(Saved.STATE);
        try (SharedFile ram = image.openRam(Saved.RAM.getFirst())) {
            assertThat(ram.size()).isEqualTo(1 << 20);
        }
        assertThat(folder).isDirectoryNotContaining("glob:**.new");
    }

    /** Data that is on disk before a step begins survives the end of the host during that step. */
    @Test
    void filesAreOnDiskBeforeTheManifestIs() {
        assertThat(steps).containsExactly(Step.values());
    }

    @Test
    void imageIsNotOverwritten() {
        assertFault(Fault.EXISTS, "already", () -> ImageWriter.begin(folder));
        assertThat(folder.resolve(ImageFolder.MANIFEST)).exists();
        assertThat(folder.resolve(ImageFolder.STATE)).hasBinaryContent(Saved.STATE);
    }

    @Test
    void missingFilesAreNamed() throws IOException {
        Files.delete(folder.resolve("exomem.0+100000.ram"));
        assertNotOpened(Fault.MISSING, "exomem.0+100000.ram");
        Files.delete(folder.resolve(ImageFolder.MANIFEST));
        assertNotOpened(Fault.NO_IMAGE, "a save was interrupted");
        Files.delete(folder.resolve(ImageFolder.STATE));
        assertNotOpened(Fault.NO_IMAGE, "has no manifest.json");
    }

    @Test
    void missingStateIsNamed() throws IOException {
        Files.delete(folder.resolve(ImageFolder.STATE));
        assertNotOpened(Fault.MISSING, "vmm.state");
    }

    @Test
    void truncatedFilesAreNamed() throws IOException {
        truncate(folder.resolve("exomem.100000+10000.more"));
        assertNotOpened(Fault.SIZE, "exomem.100000+10000.more");
    }

    @Test
    void truncatedStateIsNamed() throws IOException {
        truncate(folder.resolve(ImageFolder.STATE));
        assertNotOpened(Fault.SIZE, "vmm.state");
    }

    @Test
    void truncatedManifestIsNamed() throws IOException {
        truncate(folder.resolve(ImageFolder.MANIFEST));
        assertNotOpened(Fault.INVALID, "manifest.json");
    }

    private static void truncate(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(channel.size() / 2);
        }
    }

    @Test
    void editedStateIsTold() throws IOException {
        byte[] edited = Saved.STATE.clone();
        edited[3] ^= 1;
        Files.write(folder.resolve(ImageFolder.STATE), edited);

        assertNotOpened(Fault.CHANGED, "vmm.state");
    }

    @Test
    void newerForeignAndEditedManifestsAreToldApart() throws IOException {
        Path manifest = folder.resolve(ImageFolder.MANIFEST);
        String good = Files.readString(manifest);
        Files.writeString(manifest, good.replace("\"version\": 1", "\"version\": 3"));
        assertNotOpened(Fault.NEWER, "version 3");
        Files.writeString(manifest, "{\"schemaVersion\": 2}");
        assertNotOpened(Fault.FOREIGN, "not a manifest");
        Files.writeString(manifest, good.replace("exomem.100000+10000.more", "exomem.100000+10000.less"));
        assertNotOpened(Fault.INVALID, "less");
        Files.writeString(manifest, good);
        Files.writeString(manifest, " ".repeat(1 << 20), APPEND);
        assertNotOpened(Fault.FOREIGN, "larger than");
        Files.delete(manifest);
        Files.createDirectory(manifest);
        assertNotOpened(Fault.FOREIGN, "not a manifest");
    }

    @Test
    void folderThatIsNotThereIsNamed() {
        folder = above.resolve("other");
        assertNotOpened(Fault.NO_IMAGE, "there is no folder");
    }

    @Test
    void linkInPlaceOfAFileIsRefused() throws IOException {
        Path ram = folder.resolve("exomem.0+100000.ram");
        Path moved = Files.move(ram, above.resolve("ram"));
        Files.createSymbolicLink(ram, moved);
        assertNotOpened(Fault.FOREIGN, "not a regular file");
    }

    @Test
    @Tag("IMG-RESTORE-3")
    void imageIsTakenOnce() throws IOException {
        ImageFolder one = ImageFolder.open(folder);
        ImageFolder two = ImageFolder.open(folder);
        try (TakenImage taken = one.take()) {
            assertFault(Fault.NO_IMAGE, "has just been taken", two::take);
            assertNotOpened(Fault.NO_IMAGE, "has just been taken");
            taken.giveBack();
        }
        try (TakenImage taken = ImageFolder.open(folder).take()) {
            taken.useUp();
            assertNotOpened(Fault.NO_IMAGE, "a VM has run on its RAM files");
            // The VMM refused to resume the guest.
            taken.giveBack();
        }
        try (TakenImage taken = ImageFolder.open(folder).take()) {
            taken.useUp();
        }
        assertFault(Fault.NO_IMAGE, "a VM has run on its RAM files", two::take);
        assertNotOpened(Fault.NO_IMAGE, "a VM has run on its RAM files");
        // The VM is saved again at its first place.
        ImageWriter again = ImageWriter.begin(folder);
        Files.write(again.state(), Saved.STATE);
        again.finish(Saved.description(), ImageWriter.Digests.NONE);
        assertThat(ImageFolder.open(folder).manifest().vm()).isEqualTo("web");
        assertThat(folder).isDirectoryNotContaining("glob:**.taken");
    }

    @Test
    @Tag("IMG-RESTORE-6")
    void imageOfARestoreThatWasBrokenOffIsWholeWhenItsVmmHasEnded() throws IOException {
        RamFileName ram = Saved.RAM.getFirst();
        try (SharedFile file = RamFiles.in(folder).open(ram)) {
            // As a VMM maps it.
            try (Mapping _ = Mapping.of(file, 0, ram.size())) {
                ImageFolder.open(folder).take().close();
                assertNotOpened(
                        Fault.NO_IMAGE, "process " + ProcessHandle.current().pid());
                assertFault(Fault.EXISTS, "already", () -> ImageWriter.begin(folder));
            }
            // As a clone or a pager maps it.
            try (Mapping _ = Mapping.forReading(file, 0, ram.size())) {
                assertThat(ImageFolder.open(folder).manifest().vm()).isEqualTo("web");
            }
        }
        try (TakenImage taken = ImageFolder.open(folder).take()) {
            taken.giveBack();
        }
        assertThat(folder.resolve(ImageFolder.MANIFEST)).exists();
    }

    /** As when the disk is full, or fails, at that step. */
    @ParameterizedTest
    @EnumSource(
            names = {"IMAGE_IS_ON_DISK", "OLD_IMAGE_IS_GONE"},
            mode = EnumSource.Mode.EXCLUDE)
    @Tag("IMG-SAVE-2")
    void nothingIsLeftOfASaveThatFailsHoweverLate(Step last) throws IOException {
        Path made = above.resolve("made");
        ImageWriter writer = ImageWriter.begin(made, step -> {
            if (step == last) {
                throw new IllegalStateException("the disk fails");
            }
        });
        RamFiles.in(made).create(Saved.RAM, RamFiles.Room.ON_DEMAND);
        Files.write(writer.state(), Saved.STATE);
        IllegalStateException fault = catchThrowableOfType(
                IllegalStateException.class,
                () -> writer.finish(
                        Saved.description(),
                        ImageSignature.digests(),
                        (in, manifest) -> Files.write(in.resolve(ImageFolder.SIGNATURE), manifest)));

        assertThat(fault).hasMessage("the disk fails");
        // The guest may run on the RAM files from here on.
        assertThat(made.resolve(ImageFolder.MANIFEST)).doesNotExist();
        writer.abandon(Saved.RAM, fault);

        assertThat(fault).hasNoSuppressedExceptions();
        assertThat(made).doesNotExist();
    }

    @Test
    @Tag("IMG-SAVE-2")
    void ramFilesOfAVmThatRunsOnAndOtherFilesStayWhereASaveFails() throws IOException {
        Path there = Files.createDirectory(above.resolve("there"));
        Path other = Files.createFile(there.resolve("other"));
        RamFiles.in(there).create(Saved.RAM, RamFiles.Room.ON_DEMAND);
        ImageWriter writer = ImageWriter.begin(there);
        Files.write(writer.state(), Saved.STATE);

        IOException fault = new IOException("the disk fails");
        writer.abandon(List.of(), fault);

        assertThat(fault).hasNoSuppressedExceptions();
        assertThat(there)
                .isDirectoryContaining(other::equals)
                .isDirectoryContaining(writer.ram(Saved.RAM.getFirst())::equals)
                .isDirectoryNotContaining("glob:**vmm.state");
    }

    @Test
    void imageThatDoesNotFitIsNotMade() throws IOException {
        try (TakenImage taken = ImageFolder.open(folder).take()) {
            taken.useUp();
        }
        ImageWriter writer = ImageWriter.begin(folder);
        assertFault(
                Fault.MISSING,
                "has not written its state",
                () -> writer.finish(Saved.description(), ImageWriter.Digests.NONE));
        Files.write(writer.state(), Saved.STATE);
        RamFileName other = new RamFileName((1 << 20) + (1 << 16), 4096, "foreign");
        Files.write(writer.ram(other), new byte[4096]);
        assertFault(
                Fault.MISMATCH,
                "has a RAM file that the VM does not have",
                () -> writer.finish(Saved.description(), ImageWriter.Digests.NONE));
        Files.delete(writer.ram(other));
        Files.delete(writer.ram(Saved.RAM.getFirst()));
        assertFault(
                Fault.MISSING,
                "exomem.0+100000.ram",
                () -> writer.finish(Saved.description(), file -> Optional.empty()));
        assertThat(folder.resolve(ImageFolder.MANIFEST)).doesNotExist();
    }
}
