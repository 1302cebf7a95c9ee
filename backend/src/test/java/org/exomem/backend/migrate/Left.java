package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * What migrations may leave behind in this process, to be compared with what there was before: sockets, files of guests'
 * memory and of the engine, threads, folders for a VMM's state.
 */
record Left(Map<String, Integer> held) {
    /** For what a machine under load may be late with. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    static {
        // The JDK makes some descriptors for itself with the first socket that is closed.
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(null);
                SocketChannel socket = SocketChannel.open(server.getLocalAddress());
                ServerSocketChannel local = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            socket.finishConnect();
            assertThat(local.isOpen()).isTrue();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static final List<String> KINDS = List.of("socket:", "/memfd:", ".ram", ".log", "exomem-migration");
    private static final List<String> THREADS = List.of("migrat", "precopy", "vm-");

    static Left now() {
        Map<String, Integer> held = new TreeMap<>();
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"));
                Stream<Path> temporary = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            all.map(Left::target).forEach(target -> count(held, KINDS, target));
            temporary.map(Path::toString).forEach(name -> count(held, List.of("exomem-migration"), name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.getAllStackTraces().keySet().forEach(thread -> count(held, THREADS, thread.getName()));
        return new Left(held);
    }

    private static void count(Map<String, Integer> held, List<String> kinds, String name) {
        kinds.stream().filter(name::contains).forEach(kind -> held.merge(kind, 1, Integer::sum));
    }

    private static String target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException e) {
            // That of the listing itself is gone by now.
            return "";
        }
    }

    void assertSameNow() {
        await("what was taken to be given back")
                .atMost(LIMIT)
                .untilAsserted(() -> assertThat(now()).isEqualTo(this));
    }
}
