package org.exomem.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The memory of this host. */
public final class HostRam {
    private static final String TOTAL = "MemTotal:";
    private static final String UNIT = "kB";
    private static final long UNKNOWN = Long.MAX_VALUE / 4;

    private HostRam() {}

    /** All of the host's memory in bytes; a quarter of {@link Long#MAX_VALUE} if the kernel does not report it. */
    public static long bytes() {
        try {
            return total(Files.readString(Path.of("/proc/meminfo")));
        } catch (IOException e) {
            return UNKNOWN;
        }
    }

    /** Without a pattern and a stream, whose classes would be on the way of each start. */
    static long total(String meminfo) {
        for (String line : meminfo.split("\n", -1)) {
            if (line.startsWith(TOTAL)) {
                String number = line.substring(TOTAL.length()).replace(UNIT, "").strip();
                return Long.parseLong(number) * 1024;
            }
        }
        return UNKNOWN;
    }
}
