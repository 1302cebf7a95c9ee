package org.exomem.backend.template;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import org.exomem.images.ram.RamFileName;
import org.exomem.linux.process.ProcessFd;
import org.exomem.linux.process.ProcessStatus;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** This process has mapped the memory that a clone's VMM would map. */
@Tag("IMG-CLONE-10")
class OwnRamTest {
    private static final RamFileName RAM = new RamFileName(0, 8192, "ram");

    @TempDir
    Path folder;

    private final Arena arena = Arena.ofShared();
    private Path own;
    private Path template;

    @BeforeEach
    void makeFiles() throws IOException {
        own = file("own");
        template = file("template");
    }

    private Path file(String parent) throws IOException {
        return Files.write(
                Files.createDirectory(folder.resolve(parent)).resolve(RAM.file()), new byte[(int) RAM.size()]);
    }

    @AfterEach
    void unmap() {
        arena.close();
    }

    private void map(Path file, MapMode mode) throws IOException {
        map(file, mode, arena);
    }

    private static void map(Path file, MapMode mode, Arena in) throws IOException {
        try (FileChannel channel = FileChannel.open(file, READ, WRITE)) {
            channel.map(mode, 0, RAM.size(), in);
        }
    }

    private static OwnRam found() throws IOException {
        try (ProcessFd self = ProcessFd.open((int) ProcessHandle.current().pid())) {
            return OwnRam.of(self);
        }
    }

    @Test
    void fileThatIsMappedSharedBesideATemplateOfItsNameIsRemovedAndNoOther() throws IOException {
        map(template, MapMode.PRIVATE);
        map(own, MapMode.READ_WRITE);
        Path other = Files.createFile(own.resolveSibling("exomem.log"));
        found().remove();
        assertThat(own).doesNotExist();
        assertThat(template).exists();
        assertThat(other).exists();
    }

    @Test
    void ramOfAVmThatIsNoCloneStays() throws IOException {
        map(own, MapMode.READ_WRITE);
        found().remove();
        assertThat(own).exists();
    }

    @Test
    void fileThatWasMadeAnewInItsPlaceStays() throws IOException {
        map(template, MapMode.PRIVATE);
        map(own, MapMode.READ_WRITE);
        OwnRam ram = found();
        Files.delete(own);
        Files.writeString(own, "another's");
        ram.remove();
        assertThat(own).hasContent("another's");
    }

    @Test
    void numberOfAFileThatIsGoneIsNotAnothersWhileItIsLookedAfter() throws IOException {
        map(template, MapMode.PRIVATE);
        OwnRam ram;
        try (Arena ended = Arena.ofShared()) {
            map(own, MapMode.READ_WRITE, ended);
            ram = found();
        }
        assertThat(ram.descriptors()).isEqualTo(1);
        Files.delete(own);
        Files.writeString(own, "another's");
        ram.remove();
        assertThat(own).hasContent("another's");
    }

    @Test
    void fileThatTheVmmCanNotWriteToStays() throws IOException {
        map(template, MapMode.PRIVATE);
        map(own, MapMode.READ_ONLY);
        OwnRam ram = found();
        assertThat(ram.descriptors()).isZero();
        ram.remove();
        assertThat(own).exists();
    }

    @Test
    void fileOfAnotherUserThanTheVmmsStays() throws IOException {
        assumeThat(ProcessStatus.of((int) ProcessHandle.current().pid()).user()).isZero();
        Files.setAttribute(own, "unix:uid", 65534);
        map(template, MapMode.PRIVATE);
        map(own, MapMode.READ_WRITE);
        found().remove();
        assertThat(own).exists();
    }

    @Test
    void folderMayHaveAnyName() throws IOException {
        String name = "R\u00e4ume \u2192 1";
        assumeThat(System.getProperty("sun.jnu.encoding")).isEqualTo("UTF-8");
        own = file(name);
        map(template, MapMode.PRIVATE);
        map(own, MapMode.READ_WRITE);
        found().remove();
        assertThat(own).doesNotExist();
        assertThat(template).exists();
    }

    @Test
    void processThatHasEndedHasNone() throws Exception {
        Process ended = new ProcessBuilder("sleep", "600").start();
        try (ProcessFd vmm = ProcessFd.open((int) ended.pid())) {
            ended.destroyForcibly().waitFor();
            assertThat(OwnRam.of(vmm).descriptors()).isZero();
        }
    }
}
