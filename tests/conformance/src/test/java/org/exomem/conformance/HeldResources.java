package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The kernel resources of this process: descriptors by kind, and mappings of shared memory. Files and jars that class
 * loading opens are left out.
 */
record HeldResources(Map<String, Integer> descriptors, long sharedMappings) {
    static HeldResources now() {
        Map<String, Integer> kinds = new TreeMap<>();
        try (Stream<Path> entries = Files.list(Path.of("/proc/self/fd"));
                Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            entries.forEach(entry -> {
                String kind = kind(entry);
                if (!kind.startsWith("/") || kind.startsWith("/memfd:")) {
                    kinds.merge(kind, 1, Integer::sum);
                }
            });
            return new HeldResources(
                    kinds, maps.filter(line -> line.contains("/memfd:")).count());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    int count(String kind) {
        return descriptors.getOrDefault(kind, 0);
    }

    private static String kind(Path entry) {
        try {
            return Files.readSymbolicLink(entry).toString().replaceAll("\\[\\d+\\]", "");
        } catch (IOException e) {
            // The descriptor of the listing itself is closed by now.
            return "/gone";
        }
    }

    /** Waits until this process has exactly the same resources again; otherwise fails with both lists. */
    void assertSameNow() {
        await().atMost(Duration.ofMinutes(1))
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(2))
                .untilAsserted(() -> assertThat(now()).isEqualTo(this));
    }
}
