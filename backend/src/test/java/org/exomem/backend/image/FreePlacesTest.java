package org.exomem.backend.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FreePlacesTest {
    @TempDir
    Path folder;

    private static void expect(Path... places) throws IOException {
        FreePlaces.expect(List.of(places), "web");
    }

    private Path socket(String name) throws IOException {
        try (ServerSocketChannel listening = listening(name)) {
            return Path.of(listening.getLocalAddress().toString());
        }
    }

    private ServerSocketChannel listening(String name) throws IOException {
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(folder.resolve(name)));
    }

    @Test
    void socketOfAProcessThatIsGoneIsRemovedAndAFileIsLeft() throws IOException {
        Path stale = socket("a.qmp");
        Path file = Files.writeString(folder.resolve("a.pid"), "1");
        expect(stale, file, folder.resolve("none"), folder.resolve("no-folder").resolve("a"));
        assertThat(stale).doesNotExist();
        assertThat(file).exists();
    }

    @Test
    @Tag("IMG-RESTORE-1")
    void listenerIsSaidToListen() throws IOException {
        try (ServerSocketChannel listening = listening("a.qmp")) {
            Path place = folder.resolve("a.qmp");
            assertThatThrownBy(() -> expect(place))
                    .hasMessageStartingWith("a process listens on " + place)
                    .hasMessageContaining("\"web\"");
            assertThat(listening.isOpen()).isTrue();
            assertThat(place).exists();
        }
    }

    @Test
    void whatIsNoSocketIsSaidToBeNone() throws Exception {
        Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("nowhere"));
        Path pipe = folder.resolve("pipe");
        assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor())
                .isZero();
        for (Path place : List.of(link, pipe, Files.createDirectory(folder.resolve("folder")))) {
            assertThatThrownBy(() -> expect(place))
                    .hasMessageStartingWith(place + " is not a socket")
                    .hasMessageContaining("move it away")
                    .message()
                    .doesNotContain("a process listens");
            assertThat(Files.exists(place, LinkOption.NOFOLLOW_LINKS)).isTrue();
        }
    }
}
