package org.exomem.benchmarks;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.benchmarks.PageRuns.Run;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.Fd;
import org.exomem.linux.SharedFile;

/**
 * Only {@code fallocate(PUNCH_HOLE)}, called by a process in place of the back-end. The process has the guest's memory
 * file, and maps nothing.
 */
final class BareFallocate implements AutoCloseable {
    private static final String GO = "go";

    private final ChildJvm child;

    private BareFallocate(ChildJvm child) {
        this.child = child;
    }

    static BareFallocate start(GuestRam ram) throws IOException {
        return new BareFallocate(
                ChildJvm.start(BareFallocate.class, List.of(ram.file().fd())));
    }

    /** Sets the runs that are punched from now on, in that order. Guest addresses are offsets in the file. */
    void use(List<Run> runs) throws IOException {
        StringBuilder line = new StringBuilder();
        runs.forEach(
                run -> line.append(run.first()).append(' ').append(run.pages()).append(' '));
        child.tell(line.toString());
        child.answer();
    }

    /** Punches the holes. Returns the nanoseconds from before the first call to after the last. */
    long punch() throws IOException {
        child.tell(GO);
        return Long.parseLong(child.answer());
    }

    @Override
    public void close() {
        child.close();
    }

    public static void main(String[] arguments) throws IOException {
        Fd fd = ChildJvm.descriptors(arguments).getFirst();
        try (SharedFile file = new SharedFile(fd)) {
            List<Run> runs = new ArrayList<>();
            ChildJvm.serve(line -> {
                if (line.equals(GO)) {
                    return Long.toString(punch(file, runs));
                }
                parse(line, runs);
                return "ok";
            });
        }
    }

    private static void parse(String line, List<Run> runs) {
        String[] numbers = line.strip().split(" ");
        runs.clear();
        for (int i = 0; i < numbers.length; i += 2) {
            runs.add(new Run(Long.parseLong(numbers[i]), Integer.parseInt(numbers[i + 1])));
        }
    }

    private static long punch(SharedFile file, List<Run> runs) {
        try {
            long start = System.nanoTime();
            for (Run run : runs) {
                file.punchHole(run.address(), run.bytes());
            }
            return System.nanoTime() - start;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
