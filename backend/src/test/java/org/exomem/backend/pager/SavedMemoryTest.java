package org.exomem.backend.pager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.exomem.backend.image.Restore;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.ImageWriter;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.RamBlock;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.linux.SharedFile;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SavedMemoryTest {
    private static final List<RamFileName> RAM =
            RamFileName.of(List.of(new RamBlock("ram", 1 << 20), new RamBlock("more", 1 << 16)));

    @TempDir
    private Path folder;

    private Path image(String name, String vm) throws IOException {
        Path image = Files.createDirectory(folder.resolve(name));
        ImageWriter writer = ImageWriter.begin(image);
        RamFiles.in(image).create(RAM, RamFiles.Room.ON_DEMAND);
        Files.write(writer.state(), new byte[] {1});
        writer.finish(
                new ImageWriter.Description(
                        "0.1.0",
                        vm,
                        Instant.parse("2026-11-29T03:00:00Z"),
                        true,
                        new Manifest.Vmm(
                                "QEMU",
                                "11.1.2",
                                List.of(
                                        "qemu-system-x86_64",
                                        "-qmp",
                                        "unix:" + folder.resolve("qmp") + ",server=on,wait=off")),
                        RAM,
                        Optional.empty()),
                ImageWriter.Digests.NONE);
        return image;
    }

    @Test
    @Tag("PGR-IMAGE-1")
    void anotherImageInItsPlaceIsNotUsed() throws IOException {
        Path image = image("image", "web");
        try (SavedMemory saved = SavedMemory.open(image, Optional.empty())) {
            assertThat(saved.ids()).containsExactly("ram", "more");
            SavedMemory.open(image, Optional.of(saved.digest())).close();
            Files.move(image, folder.resolve("away"));
            Path other = image("image", "db");
            assertThatThrownBy(() -> SavedMemory.open(other, Optional.of(saved.digest())))
                    .hasMessageContaining("is not the image that the VM was started from");
        }
    }

    @Test
    void memoryOfAnotherSizeDoesNotFit() throws IOException {
        try (SavedMemory saved = SavedMemory.open(image("image", "web"), Optional.empty());
                MemoryImage memory = new MemoryImage(List.of(
                        new ImageFile("ram", SharedFile.memfd("ram", 1 << 20)),
                        new ImageFile("more", SharedFile.memfd("more", 1 << 17))))) {
            assertThatThrownBy(() -> saved.expectFits(memory))
                    .hasMessageContaining(
                            "the memory \"more\" of the VMM has 131072 bytes, the one of the image has 65536");
        }
    }

    @Test
    @Tag("IMG-RESTORE-5")
    void imageThatIsInUseIsNotUsedUp() throws IOException {
        Path image = image("image", "web");
        Restore restore = new Restore(
                ImageFolder.open(image),
                new Restore.Options(Restore.Memory.TAKEN, Optional.of(Path.of("/bin/false")), Map.of()),
                (done, all) -> {},
                note -> {});
        try (SavedMemory _ = SavedMemory.open(image, Optional.empty())) {
            assertThatThrownBy(() -> restore.run(vm -> Map.of(), new NoPaging()))
                    .hasMessageContaining("--take would use up the image");
            ImageFolder.open(image);
        }
        // The restore now reaches the start of a VMM.
        assertThatThrownBy(() -> restore.run(vm -> Map.of(), new NoPaging())).hasMessageContaining(" did not start");
        ImageFolder.open(image);
    }

    /** Never called. */
    private static final class NoPaging implements Restore.Paging {
        @Override
        public void begin(String vm, Path image, Path qmp) {
            throw new IllegalStateException();
        }

        @Override
        public Optional<String> trouble(String vm) {
            return Optional.empty();
        }
    }
}
