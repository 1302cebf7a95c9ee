package org.exomem.backend.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("CTL-22")
class SocketPathTest {
    @TempDir
    Path folder;

    @Test
    void theUsersOwnFolderForSocketsIsUsedIfThereIsOne() {
        assertThat(SocketPath.of("/run/user/7", 7, folder)).isEqualTo(Path.of("/run/user/7/exomem.sock"));
        assertThat(SocketPath.of("/run/user/0", 0, folder)).isEqualTo(Path.of("/run/user/0/exomem.sock"));
    }

    @Test
    void otherwiseRootHasARunFolderAndOthersOneOfTheirOwn() {
        assertThat(SocketPath.of(null, 0, folder)).isEqualTo(Path.of("/run/exomem.sock"));
        assertThat(SocketPath.of("", 7, folder)).isEqualTo(folder.resolve("exomem-7/exomem.sock"));
    }

    @Test
    void folderIsMadeForItsUserAlone() throws IOException {
        Path own = folder.resolve("exomem-7");
        UserPrincipal self = Files.getOwner(folder);
        SocketPath.makeOwn(own, self);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(own)))
                .isEqualTo("rwx------");
        assertThatCode(() -> SocketPath.makeOwn(own, self)).doesNotThrowAnyException();
    }

    @Test
    void folderThatOthersMayUseOrThatIsALinkIsRefused() throws IOException {
        UserPrincipal self = Files.getOwner(folder);
        Path open = Files.createDirectory(folder.resolve("open"));
        Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(() -> SocketPath.makeOwn(open, self))
                .hasMessageContaining("must be a folder of user " + self.getName() + " with mode 0700")
                .hasMessageContaining("rwxrwxrwx");
        Path real = Files.createDirectory(folder.resolve("real"));
        Files.setPosixFilePermissions(real, PosixFilePermissions.fromString("rwx------"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), real);
        assertThatThrownBy(() -> SocketPath.makeOwn(link, self)).isInstanceOf(IOException.class);
    }
}
