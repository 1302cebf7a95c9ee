package org.exomem.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ListeningSocketTest {
    @TempDir
    Path folder;

    private static int mode(Path path) throws Exception {
        return (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS) & 0777;
    }

    @Test
    @Tag("VHU-PRG-3")
    void onlyTheOwnerMayConnectByDefaultWhateverTheUmask() throws Exception {
        Path path = folder.resolve("s");
        try (ListeningSocket socket = ListeningSocket.open(path, 1, SocketAccess.OWNER_ONLY)) {
            assertThat(mode(path)).isEqualTo(0600);
            UnixSockets.connectNow(path).close();
            assertThat(socket.path()).isEqualTo(path);
        }
    }

    @Test
    @Tag("VHU-PRG-3")
    void theModeIsTheOneThatWasAskedForWhateverTheUmask() throws Exception {
        Path path = folder.resolve("s");
        try (ListeningSocket _ = ListeningSocket.open(path, 1, new SocketAccess(0666, null))) {
            assertThat(mode(path)).isEqualTo(0666);
        }
    }

    @Test
    void theGroupIsTheOneThatWasAskedFor() throws Exception {
        Path path = folder.resolve("s");
        GroupPrincipal own = (GroupPrincipal) Files.getAttribute(folder, "posix:group");
        try (ListeningSocket _ = ListeningSocket.open(path, 1, new SocketAccess(0660, own))) {
            assertThat(Files.getAttribute(path, "posix:group", LinkOption.NOFOLLOW_LINKS))
                    .isEqualTo(own);
            assertThat(mode(path)).isEqualTo(0660);
        }
        assertThat(SocketAccess.group(own.getName())).isEqualTo(own);
        assertThatThrownBy(() -> SocketAccess.group("no-such-group-here"))
                .isInstanceOf(UserPrincipalNotFoundException.class);
        assertThatThrownBy(() -> new SocketAccess(01777, null)).hasMessageContaining("1777");
    }

    @Test
    @Tag("VHU-PRG-3")
    void nobodyElseMayOpenASocketThatIsNotListeningYet() throws Exception {
        Path path = folder.resolve("s");
        try (Fd _ = UnixSockets.bind(path)) {
            assertThat(mode(path)).isEqualTo(0600);
            assertThatThrownBy(() -> UnixSockets.connectNow(path)).hasMessageContaining("ECONNREFUSED");
        }
    }

    @Test
    void theSocketIsRemovedAtTheEnd() throws Exception {
        Path path = folder.resolve("s");
        ListeningSocket socket = ListeningSocket.open(path, 1, SocketAccess.OWNER_ONLY);
        socket.close();
        assertThat(path).doesNotExist();
        Files.createFile(path);
        socket.close();
        assertThat(path).as("what is there after the end").exists();
    }

    @Test
    @Tag("VHU-PRG-3")
    void theSocketOfASuccessorIsLeftAlone() throws Exception {
        Path path = folder.resolve("s");
        ListeningSocket first = ListeningSocket.open(path, 1, SocketAccess.OWNER_ONLY);
        Files.delete(path);
        try (ListeningSocket _ = ListeningSocket.open(path, 1, SocketAccess.OWNER_ONLY)) {
            first.close();
            UnixSockets.connectNow(path).close();
        }
        assertThat(path).doesNotExist();
    }

    @Test
    void aSocketThatWasMovedAwayIsNotLookedFor() throws Exception {
        Path path = folder.resolve("s");
        Path moved = folder.resolve("moved");
        ListeningSocket socket = ListeningSocket.open(path, 1, SocketAccess.OWNER_ONLY);
        Files.move(path, moved);
        socket.close();
        assertThat(moved).exists();
    }

    @Test
    void aSocketThatSomebodyListensOnIsRefusedAndAStaleOneReplaced() throws Exception {
        Path path = folder.resolve("s");
        UnixSockets.listen(path, 1).close();
        try (ListeningSocket _ = ListeningSocket.open(path, 1, SocketAccess.OWNER_ONLY)) {
            assertThatThrownBy(() -> ListeningSocket.open(path, 1, SocketAccess.OWNER_ONLY))
                    .hasMessageContaining("another process listens there");
            UnixSockets.connectNow(path).close();
        }
    }

    @Test
    void pathsMayHaveLettersOutsideOfAscii() throws Exception {
        // The JVM of the test itself can name such a file only in a locale that has its letters.
        assumeTrue("UTF-8".equals(System.getProperty("sun.jnu.encoding")));
        Path path = folder.resolve("größe-空");
        try (ListeningSocket _ = ListeningSocket.open(path, 1, SocketAccess.OWNER_ONLY)) {
            assertThat(path).exists();
            assertThat(OwnPath.of(path).isThere()).isTrue();
        }
        assertThat(path).doesNotExist();
    }

    @Test
    @Tag("VHU-PRG-4")
    void whatIsNoUnixStreamSocketIsRefusedByItsKind() throws Exception {
        int internet = 2;
        int stream = 1;
        int datagram = 2;
        try (Fd tcp = new Fd(LibC.socket(internet, stream, 0));
                Fd datagrams = new Fd(LibC.socket(1, datagram, 0));
                Fd idle = new Fd(LibC.socket(1, stream, 0));
                EventFd eventFd = new EventFd()) {
            Fd none = new Fd(1 << 20);
            assertThatThrownBy(() -> UnixSockets.roleOf(none)).hasMessageContaining("no descriptor of that number");
            assertThatThrownBy(() -> UnixSockets.roleOf(tcp)).hasMessageContaining("an Internet stream socket");
            assertThatThrownBy(() -> UnixSockets.roleOf(datagrams)).hasMessageContaining("a Unix datagram socket");
            assertThatThrownBy(() -> UnixSockets.roleOf(idle))
                    .hasMessageContaining("is neither listening nor connected");
            assertThatThrownBy(() -> UnixSockets.roleOf(eventFd.fd())).hasMessageContaining("anon_inode:[eventfd]");
        }
    }
}
