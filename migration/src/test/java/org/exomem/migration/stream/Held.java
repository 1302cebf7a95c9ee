package org.exomem.migration.stream;

import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;

/** The descriptors and threads of this process, for a comparison with those afterwards. */
record Held(long sockets, long files) {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    static {
        // The JDK opens some for itself when the first socket is closed.
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(null);
                SocketChannel socket = SocketChannel.open(server.getLocalAddress())) {
            socket.finishConnect();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Held now() {
        return new Held(count("socket:"), count("/memfd:destination"));
    }

    private static long count(String kind) {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.filter(fd -> {
                        try {
                            return Files.readSymbolicLink(fd).toString().startsWith(kind);
                        } catch (IOException e) {
                            return false;
                        }
                    })
                    .count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static List<String> migrationThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .map(Thread::getName)
                .filter(name -> name.startsWith("migration-"))
                .toList();
    }

    /** Waits until everything that a migration used is released. */
    void awaitSame() {
        await("threads to end").atMost(LIMIT).until(() -> migrationThreads().isEmpty());
        await("descriptors to be closed").atMost(LIMIT).until(() -> now().equals(this));
    }
}
