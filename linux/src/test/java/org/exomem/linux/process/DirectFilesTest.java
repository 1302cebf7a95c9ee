package org.exomem.linux.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.sun.nio.file.ExtendedOpenOption;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("IMG-CLONE-11")
class DirectFilesTest {
    @TempDir
    Path folder;

    @Test
    void fileThatIsOpenPastThePageCacheIsSeenAsLongAsItIsOpen() throws IOException {
        assumeThat(System.getProperty("os.arch")).isEqualTo("amd64");
        int self = (int) ProcessHandle.current().pid();
        Path file = Files.createFile(folder.resolve("disk"));
        assertThat(DirectFiles.any(self)).isFalse();
        try (FileChannel cached = FileChannel.open(file, StandardOpenOption.READ)) {
            assertThat(cached.isOpen()).isTrue();
            assertThat(DirectFiles.any(self)).isFalse();
        }
        try (FileChannel direct = FileChannel.open(file, StandardOpenOption.READ, ExtendedOpenOption.DIRECT)) {
            assertThat(direct.isOpen()).isTrue();
            assertThat(DirectFiles.any(self)).isTrue();
        }
        assertThat(DirectFiles.any(self)).isFalse();
    }

    @Test
    void processThatIsNotThereCanNotBeLookedAt() {
        assertThatThrownBy(() -> DirectFiles.any(Integer.MAX_VALUE)).isInstanceOf(IOException.class);
    }
}
