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
 * What migrations may leave behind, to be compared with what there was before: sockets, files of guests' memory and of the engine, and
 * threads of this process, and its folders for a VMM's state. Other tests run in other processes at the same time.
 */
record Leftovers(Map<String, Integer> held, Set<Path> folders) {
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
            // That of the listing itself is gone by now.
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
