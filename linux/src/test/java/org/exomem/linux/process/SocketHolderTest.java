package org.exomem.linux.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SocketHolderTest {
    private static final int SELF = (int) ProcessHandle.current().pid();

    @TempDir
    Path folder;

    /** Prints its pid and its child's. The child has the socket; the parent closes its own. */
    private static final String HANDS_OVER = """
            use Socket;
            socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die;
            bind($s, sockaddr_un($ARGV[0])) or die;
            listen($s, 5) or die;
            my $child = fork;
            if ($child) { close $s; $| = 1; print "$$ $child\\n"; }
            <STDIN>;
            """;

    @Test
    @Tag("VMM-16")
    void socketThatWasHandedOverIsServedByWhomItWasHandedTo() throws Exception {
        Path socket = folder.resolve("qmp");
        Process maker = new ProcessBuilder("perl", "-e", HANDS_OVER, socket.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader output = maker.inputReader()) {
            String[] pids = output.readLine().split(" ");
            assertThat(pids[0]).isEqualTo(Long.toString(maker.pid()));
            assertThat(SocketHolder.of(socket, (int) maker.pid())).isEqualTo(Integer.parseInt(pids[1]));
            assertThat(SocketHolder.mayServe(socket, Integer.parseInt(pids[1]))).isTrue();
            assertThat(SocketHolder.mayServe(socket, (int) maker.pid()))
                    .as("whoever has the number of one that let go of it")
                    .isFalse();
        } finally {
            // This ends both.
            maker.getOutputStream().close();
            assertThat(maker.waitFor(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    @Tag("VMM-16")
    void socketIsServedByItsMakerOtherwise() throws IOException {
        Path socket = folder.resolve("qmp");
        assertThat(SocketHolder.of(socket, SELF)).as("there is none").isEqualTo(SELF);
        assertThat(SocketHolder.mayServe(socket, SELF)).as("nobody knows").isTrue();
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            assertThat(SocketHolder.of(socket, SELF)).isEqualTo(SELF);
            assertThat(SocketHolder.of(socket, 1))
                    .as("one that does not have it")
                    .isEqualTo(SELF);
        }
    }
}
