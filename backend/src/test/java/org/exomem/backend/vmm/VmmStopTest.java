package org.exomem.backend.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** VMMs that do not answer when they are asked to stop their guests. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class VmmStopTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    private Path qmp;
    private final VmmStop stop = new VmmStop();
    private final List<String> failures = new CopyOnWriteArrayList<>();

    @BeforeEach
    void name() {
        qmp = folder.resolve("qmp");
    }

    private ServerSocketChannel listen(int backlog) throws IOException {
        ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        return listening.bind(UnixDomainSocketAddress.of(qmp), backlog);
    }

    @Test
    void vmmThatKeepsSilentIsAskedOnceAtATime() throws Exception {
        try (ServerSocketChannel listening = listen(10)) {
            stop.stop(qmp, failures::add);
            try (SocketChannel _ = listening.accept()) {
                stop.stop(qmp, failures::add);
                stop.stop(qmp, failures::add);
                assertThat(failures).isEmpty();
            }
            await().atMost(LIMIT).until(() -> !failures.isEmpty());
        }
        Files.delete(qmp);
        await().atMost(LIMIT)
                .until(() -> Thread.getAllStackTraces().keySet().stream()
                        .noneMatch(thread -> thread.getName().equals("vmm-stop")));
        assertThat(failures).containsExactly("the VMM's QMP socket " + qmp + ": the connection was closed");

        stop.stop(qmp, failures::add);
        await().atMost(LIMIT).untilAsserted(() -> assertThat(failures).hasSize(2));
    }

    @Test
    void vmmThatTakesNoConnectionIsNotWaitedFor() throws Exception {
        try (ServerSocketChannel _ = listen(1);
                SocketChannel _ = connected();
                SocketChannel _ = connected()) {
            stop.stop(qmp, failures::add);
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(failures)
                            .containsExactly("the VMM's QMP socket " + qmp + ": Resource temporarily unavailable"));
        }
    }

    private SocketChannel connected() throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(qmp));
    }
}
