package org.exomem.cli.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import org.junit.jupiter.api.Test;

class FileFaultTest {
    @Test
    void whatHasNoMessageButAFileIsToldWithTheReason() {
        assertThat(FileFault.text(new AccessDeniedException("/a"))).isEqualTo("/a: permission denied");
        assertThat(FileFault.text(new NoSuchFileException("/a"))).startsWith("/a: it does not exist");
        assertThat(FileFault.text(new FileAlreadyExistsException("/a"))).isEqualTo("/a: it exists already");
        assertThat(FileFault.text(new NotDirectoryException("/a"))).isEqualTo("/a: it is not a folder");
    }

    @Test
    void aReasonThatIsThereIsTold() {
        assertThat(FileFault.text(new FileSystemException("/a", null, "Read-only file system")))
                .isEqualTo("/a: Read-only file system");
        assertThat(FileFault.text(new IOException("no answer"))).isEqualTo("no answer");
        assertThat(FileFault.reason(new AccessDeniedException("/a", null, "needs root")))
                .isEqualTo("needs root");
    }
}
