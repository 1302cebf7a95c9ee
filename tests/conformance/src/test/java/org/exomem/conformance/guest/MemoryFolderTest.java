package org.exomem.conformance.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryFolderTest {
    @TempDir
    Path where;

    /** The id of a process that has ended. */
    private static long ended() throws Exception {
        Process process = new ProcessBuilder("true").start();
        process.waitFor();
        return process.pid();
    }

    private Path left(String namespace, long owner) throws Exception {
        Path folder = Files.createDirectory(where.resolve(MemoryFolder.name(namespace, owner, 0)));
        Path deeper = Files.createDirectory(folder.resolve("deeper"));
        Files.writeString(deeper.resolve("guest.ram"), "memory");
        return folder;
    }

    @Test
    void whatAKilledProcessLeftGoesWithTheNextStart() throws Exception {
        Path left = left(MemoryFolder.namespace(), ended());
        try (MemoryFolder folder = MemoryFolder.make(where)) {
            assertThat(left).doesNotExist();
            assertThat(folder.path()).isEmptyDirectory();
            Files.writeString(folder.path().resolve("guest.ram"), "memory");
        }
        assertThat(where).isEmptyDirectory();
    }

    @Test
    void foldersOfOthersStay() throws Exception {
        Path ofAContainer = left("other", ended());
        Path ofTheParent = left(
                MemoryFolder.namespace(),
                ProcessHandle.current().parent().orElseThrow().pid());
        Path ofAnybody = Files.createDirectory(where.resolve("exomem-demo" + ended()));
        try (MemoryFolder mine = MemoryFolder.make(where);
                MemoryFolder another = MemoryFolder.make(where)) {
            assertThat(another.path()).isNotEqualTo(mine.path()).isDirectory();
            assertThat(mine.path()).isDirectory();
            assertThat(ofAContainer).isDirectory();
            assertThat(ofTheParent).isDirectory();
            assertThat(ofAnybody).isDirectory();
        }
    }

    @Test
    void nobodyElseReadsIt() throws Exception {
        try (MemoryFolder folder = MemoryFolder.make(where)) {
            assertThat(Files.getPosixFilePermissions(folder.path())).hasSize(3);
        }
    }
}
