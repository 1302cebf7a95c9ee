package org.exomem.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The memory of this host. */
public final class HostRam {
    private static final String TOTAL = "MemTotal:";

    private HostRam() {}

    /** All of the host's memory in bytes; a quarter of {@link Long#MAX_VALUE} if the kernel does not report it. */
    public static long bytes() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/meminfo"))) {
            return lines.filter(line -> line.startsWith(TOTAL))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024)
                    .findFirst()
                    .orElse(Long.MAX_VALUE / 4);
        } catch (IOException e) {
            return Long.MAX_VALUE / 4;
        }
    }
}
