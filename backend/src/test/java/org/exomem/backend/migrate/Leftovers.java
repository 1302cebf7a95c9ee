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
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Resources that migrations may leave behind, for comparison with an earlier state: sockets, files of guests' memory
 * and of the engine, threads of this process, and its folders for a VMM's state. Other tests run in other processes at
 * the same time.
 */
record Leftovers(Map<String, Integer> held, Set<Path> folders) {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    static {
        // The JDK opens some descriptors for itself when the first socket is closed.
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(null);
                SocketChannel socket = SocketChannel.open(server.getLocalAddress());
                ServerSocketChannel local = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            socket.finishConnect();
            assertThat(local.isOpen()).isTrue();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static final List<String> KINDS = List.of("socket:", "/memfd:", ".ram", ".log");
    private static final String OWN_FOLDERS =
            "exomem-migration-" + ProcessHandle.current().pid() + "-";
    private static final List<String> THREADS = List.of("migrat", "precopy", "vm-");

    static Leftovers now() {
        Map<String, Integer> held = new TreeMap<>();
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            all.map(Leftovers::target).forEach(target -> count(held, KINDS, target));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.getAllStackTraces().keySet().forEach(thread -> count(held, THREADS, thread.getName()));
        return new Leftovers(held, temporary());
    }

    private static Set<Path> temporary() {
        try (Stream<Path> all = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            return all.filter(path -> path.getFileName().toString().startsWith(OWN_FOLDERS))
                    .collect(Collectors.toSet());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void count(Map<String, Integer> held, List<String> kinds, String name) {
        kinds.stream().filter(name::contains).forEach(kind -> held.merge(kind, 1, Integer::sum));
    }

    private static String target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException e) {
            // The descriptor of the listing itself is closed by now.
            return "";
        }
    }

    void assertSameNow() {
        Set<Path> made = temporary();
        made.removeAll(folders);
        await("what was taken to be given back").atMost(LIMIT).untilAsserted(() -> {
            Leftovers now = now();
            assertThat(now.held).isEqualTo(held);
            made.retainAll(now.folders);
            assertThat(made).isEmpty();
        });
    }
}
