package org.exomem.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * What a process has used, as the kernel tells.
 *
 * @param cpuMillis user and system time, in steps of 10 ms
 * @param voluntarySwitches how often one of its threads has gone to sleep
 * @param residentBytes of memory, shared pages included
 */
record ProcessUsage(long cpuMillis, long voluntarySwitches, long residentBytes) {
    private static final long MILLIS_PER_TICK = 10;
    /** Of the fields of /proc/PID/stat behind the name: utime is the 12th, stime the 13th. */
    private static final int USER_TIME = 11;

    static ProcessUsage of(long pid) throws IOException {
        Path process = Path.of("/proc", Long.toString(pid));
        String stat = Files.readString(process.resolve("stat"));
        List<String> fields =
                List.of(stat.substring(stat.lastIndexOf(')') + 1).strip().split(" "));
        long ticks = Long.parseLong(fields.get(USER_TIME)) + Long.parseLong(fields.get(USER_TIME + 1));
        long switches;
        try (Stream<Path> threads = Files.list(process.resolve("task"))) {
            switches = threads.mapToLong(ProcessUsage::switches).sum();
        }
        return new ProcessUsage(ticks * MILLIS_PER_TICK, switches, number(process.resolve("status"), "VmRSS:") << 10);
    }

    private static long switches(Path thread) {
        try {
            return number(thread.resolve("status"), "voluntary_ctxt_switches:");
        } catch (NoSuchFileException e) {
            // It ended between being listed and being read.
            return 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long number(Path file, String key) throws IOException {
        for (String line : Files.readAllLines(file)) {
            if (line.startsWith(key)) {
                return Long.parseLong(line.replaceAll("\\D", ""));
            }
        }
        throw new IOException(file + " has no line " + key);
    }
}
