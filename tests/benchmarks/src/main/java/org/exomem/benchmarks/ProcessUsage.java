package org.exomem.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The resources that a process has used, from the kernel, summed over the threads that it has now.
 *
 * @param cpuNanos user and system time; to the nanosecond, while utime and stime have steps of 10 ms
 * @param voluntarySwitches how often a thread has gone to sleep
 * @param residentBytes of memory, shared pages included
 */
record ProcessUsage(long cpuNanos, long voluntarySwitches, long residentBytes) {
    static ProcessUsage of(long pid) throws IOException {
        Path process = Path.of("/proc", Long.toString(pid));
        List<Path> threads;
        try (Stream<Path> tasks = Files.list(process.resolve("task"))) {
            threads = tasks.toList();
        }
        return new ProcessUsage(
                threads.stream().mapToLong(ProcessUsage::cpu).sum(),
                threads.stream().mapToLong(ProcessUsage::switches).sum(),
                number(process.resolve("status"), "VmRSS:") << 10);
    }

    /** The number of threads of a process. */
    static long threads(long pid) throws IOException {
        return number(Path.of("/proc", Long.toString(pid), "status"), "Threads:");
    }

    /** The processor time of the threads with that name. */
    static long cpuNanos(long pid, String thread) throws IOException {
        return threads(pid, thread).stream().mapToLong(ProcessUsage::cpu).sum();
    }

    /** The threads with that name, as in {@code /proc}; at least one. */
    static List<Path> threads(long pid, String name) throws IOException {
        try (Stream<Path> threads = Files.list(Path.of("/proc", Long.toString(pid), "task"))) {
            List<Path> named =
                    threads.filter(thread -> nameOf(thread).equals(name)).toList();
            if (named.isEmpty()) {
                throw new IOException("process " + pid + " has no thread " + name);
            }
            return named;
        }
    }

    private static String nameOf(Path thread) {
        try {
            return Files.readString(thread.resolve("comm")).strip();
        } catch (IOException e) {
            // The process has ended.
            return "";
        }
    }

    /** The processor time of each of these processes in milliseconds, including threads that have ended. */
    static List<Long> cpuMillis(List<Long> pids) {
        return pids.stream().map(ProcessUsage::allThreadsMillis).toList();
    }

    private static long allThreadsMillis(long pid) {
        return ProcessHandle.of(pid)
                .flatMap(process -> process.info().totalCpuDuration())
                .orElseThrow(() -> new IllegalStateException("process " + pid + " has ended"))
                .toMillis();
    }

    /** The total processor time of these processes in milliseconds. */
    static long allCpuMillis(List<Long> pids) {
        return cpuMillis(pids).stream().mapToLong(Long::longValue).sum();
    }

    /** The increase of {@link #cpuMillis} since {@code before}. */
    static List<Long> cpuMillisSince(List<Long> before, List<Long> pids) {
        List<Long> now = cpuMillis(pids);
        return IntStream.range(0, now.size())
                .mapToObj(i -> now.get(i) - before.get(i))
                .toList();
    }

    long cpuMillis() {
        return cpuNanos / 1_000_000;
    }

    private static long cpu(Path thread) {
        try {
            return Long.parseLong(Files.readString(thread.resolve("schedstat")).split(" ", 2)[0]);
        } catch (NoSuchFileException e) {
            // It ended after it was listed.
            return 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long switches(Path thread) {
        try {
            return number(thread.resolve("status"), "voluntary_ctxt_switches:");
        } catch (NoSuchFileException e) {
            // It ended after it was listed.
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
