package org.exomem.backend.qmp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("CTL-21")
class ServerOwnerTest {
    @TempDir
    Path folder;

    @Test
    void folderIsSharedWhereOthersMayMakeFiles() throws IOException {
        UserPrincipal self = Files.getOwner(folder);
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        assertThat(ServerOwner.isShared(folder, Set.of(self))).isFalse();
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxr-x"));
        assertThat(ServerOwner.isShared(folder, Set.of(self))).isTrue();
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx---rwx"));
        assertThat(ServerOwner.isShared(folder, Set.of(self))).isTrue();
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
        assertThat(ServerOwner.isShared(folder, Set.of())).as("another user's").isTrue();
    }

    @Test
    void serverOfThisUserIsSpokenToInASharedFolder() throws IOException {
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        Path path = folder.resolve("s");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            try (SocketChannel client = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
                assertThatCode(() -> ServerOwner.check(path, client)).doesNotThrowAnyException();
            }
        }
    }

    @Test
    void serverOfAnotherUserIsNot() throws IOException {
        UserPrincipal self = Files.getOwner(folder);
        assertThatThrownBy(() -> ServerOwner.check(self, Set.of()))
                .isInstanceOf(UntrustedServerException.class)
                .hasMessage("it is served by user " + self.getName()
                        + ", who is neither this user nor root, in a folder in which other users may create sockets");
    }
}
