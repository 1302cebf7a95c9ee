package org.exomem.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OwnerOnlySocketTest {
    @TempDir
    Path folder;

    private static int mode(Path path) throws IOException {
        return (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 0777;
    }

    private List<Path> there() throws IOException {
        try (Stream<Path> paths = Files.list(folder)) {
            return paths.toList();
        }
    }

    private void assertOnlyItsOwnerCanConnect(Path path) throws IOException {
        try (ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            OwnPath made = OwnerOnlySocket.bind(path, at -> {
                listening.bind(UnixDomainSocketAddress.of(at));
                // Whatever mode the umask gives to the socket, no other user reaches it.
                assertThat(path).doesNotExist();
                assertThat(there()).singleElement().satisfies(closed -> {
                    assertThat(closed.resolve(String.valueOf(at.getFileName()))).exists();
                    assertThat(mode(closed)).isEqualTo(0700);
                });
            });
            assertThat(there()).containsExactly(path);
            assertThat(mode(path)).isEqualTo(0600);
            UnixSockets.connectNow(path).close();
            made.remove();
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void othersCanConnectAtNoMoment() throws IOException {
        assertOnlyItsOwnerCanConnect(folder.resolve("control.sock"));
    }

    @Test
    void longestPathHasRoomForThat() throws IOException {
        assertOnlyItsOwnerCanConnect(folder.resolve("s".repeat(UnixSockets.MAX_PATH_BYTES - (folder + "/").length())));
    }

    @Test
    void whatAKilledProcessHasLeftIsNotInTheWay() throws IOException {
        Path path = folder.resolve("control.sock");
        Path left = Files.createDirectory(
                folder.resolve(".control.sock." + ProcessHandle.current().pid()));
        OwnerOnlySocket.bind(path, at -> UnixSockets.listen(at, 1).close());
        assertThat(there()).containsExactlyInAnyOrder(path, left);
    }

    @Test
    void whatIsAtThePathIsNotReplaced() throws IOException {
        Path path = Files.createFile(folder.resolve("control.sock"));
        assertThatThrownBy(() -> OwnerOnlySocket.bind(
                        path, at -> UnixSockets.listen(at, 1).close()))
                .isInstanceOf(FileAlreadyExistsException.class);
        assertThat(there()).containsExactly(path);
        assertThat(path).isRegularFile();
    }
}
