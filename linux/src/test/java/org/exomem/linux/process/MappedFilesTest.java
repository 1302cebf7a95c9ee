package org.exomem.linux.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappedFilesTest {
    /** Larger than any other shared mapping of this JVM. */
    private static final long SIZE = 1L << 40;

    private static MappedFiles now() throws IOException {
        return MappedFiles.of((int) ProcessHandle.current().pid());
    }

    @Test
    @Tag("VMM-3")
    void fileThatIsMappedIsFoundAndMissedWhereItWasMadeAnewUnderItsName(@TempDir Path folder) throws IOException {
        Path path = folder.resolve("a ram");
        try (SharedFile old = SharedFile.create(path, SIZE);
                Mapping part = Mapping.of(old, 0, SIZE / 4)) {
            assertThat(part.segment().byteSize()).isEqualTo(SIZE / 4);
            assertThat(now().hasAnotherThan(MappedFiles.nameOf(old), path.toString()))
                    .isFalse();
            Files.delete(path);
            try (SharedFile anew = SharedFile.create(path, SIZE)) {
                String name = MappedFiles.nameOf(anew);
                assertThat(name).isNotEqualTo(MappedFiles.nameOf(old));
                assertThat(now().hasAnotherThan(name, path.toString())).isTrue();
                assertThat(now().hasAnotherThan(name, folder.resolve("other").toString()))
                        .isFalse();
                try (Mapping other = Mapping.of(anew, 0, SIZE)) {
                    assertThat(other.segment().byteSize()).isEqualTo(SIZE);
                    assertThat(now().hasAnotherThan(name, path.toString())).isFalse();
                }
            }
        }
    }

    @Test
    @Tag("MIG-WATCH-4")
    void everyProcessThatHasAFileMappedIsFoundAndNoOther() throws IOException {
        int self = (int) ProcessHandle.current().pid();
        try (SharedFile file = SharedFile.memfd("with blanks", SIZE);
                SharedFile other = SharedFile.memfd("other", SIZE)) {
            List<String> names = List.of(MappedFiles.nameOf(file), MappedFiles.nameOf(other));
            assertThat(MappedFiles.ofAllThatMap(names)).isEmpty();
            try (Mapping part = Mapping.of(file, 0, 8192)) {
                long from = part.segment().address();
                assertThat(MappedFiles.ofAllThatMap(names))
                        .containsExactly(new MappedFiles.Mapper(
                                self,
                                List.of(new MappedFiles.Area(
                                        from,
                                        from + 8192,
                                        true,
                                        0,
                                        names.getFirst(),
                                        "/memfd:with blanks (deleted)"))));
            }
            assertThat(MappedFiles.ofAllThatMap(names)).isEmpty();
        }
    }

    /** A process chooses how many mappings it has, and how long their paths are. */
    @Test
    @Tag("VMM-24")
    void processWithVeryManyLongMappingsIsRefused() throws IOException {
        StringBuilder maps = new StringBuilder();
        String path = "/" + "long/".repeat(800);
        for (int i = 1; maps.length() < MappedFiles.MAX_BYTES; i++) {
            maps.append(String.format("%x-%x rw-s 00000000 00:01 7 %s%n", i << 12, (i + 1) << 12, path));
        }
        assertThat(MappedFiles.parse(maps.substring(0, maps.indexOf("\n") * 100))
                        .pieces())
                .hasSizeBetween(95, 105);
        assertThatThrownBy(() -> MappedFiles.parse(maps.toString()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("more than 16777216 bytes of text");
    }

    @Test
    @Tag("VMM-24")
    void veryLongPathHidesNoMapping() throws IOException {
        String maps =
                "1000-2000 rw-s 00000000 00:01 7 /" + "x".repeat(200_000) + "\n2000-3000 rw-s 00001000 00:01 8 /y\n";
        assertThat(MappedFiles.parse(maps).pieces())
                .extracting(MappedFiles.Area::file)
                .containsExactly("00:01 7", "00:01 8");
    }

    @Test
    void onlyTheMappingsOfTheFileThatIsAskedForAreFound() throws IOException {
        int self = (int) ProcessHandle.current().pid();
        try (SharedFile file = SharedFile.memfd("one", SIZE);
                SharedFile other = SharedFile.memfd("other", SIZE);
                Mapping one = Mapping.of(file, 0, 8192);
                Mapping two = Mapping.of(other, 0, 8192)) {
            assertThat(MappedFiles.of(self, MappedFiles.nameOf(file)))
                    .extracting(MappedFiles.Area::from)
                    .containsExactly(one.segment().address());
            assertThat(two.segment().address()).isNotEqualTo(one.segment().address());
        }
    }

    @Test
    void processThatHasGoneHasNoMappings() {
        assertThatThrownBy(() -> MappedFiles.of(0)).isInstanceOf(NoSuchFileException.class);
    }
}
