package org.exomem.benchmarks;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Random;
import java.util.stream.LongStream;
import org.HdrHistogram.Histogram;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/** A process that has memory mapped, and touches it when it is told to: the one whose faults {@link PageFaultCost} serves. */
final class TouchedMemory {
    private static final long LONGEST_NANOS = 10_000_000_000L;
    private static final long SEED = 1;
    private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

    private TouchedMemory() {}

    /** Answers {@code pid}, or {@code touch} with the nanoseconds that half and 99 of 100 touches took at most, and the sum of what it found. */
    public static void main(String[] arguments) throws IOException {
        SharedFile file = new SharedFile(ChildJvm.descriptors(arguments).getFirst());
        MemorySegment memory = Mapping.of(file, 0, file.size()).segment();
        long[] pages = shuffled(file.size() / SharedFile.SMALL_PAGE);
        ChildJvm.serve(question -> question.equals("touch")
                ? touch(memory, pages)
                : Long.toString(ProcessHandle.current().pid()));
    }

    private static long[] shuffled(long count) {
        long[] pages = LongStream.range(0, count).toArray();
        Random random = new Random(SEED);
        for (int i = pages.length - 1; i > 0; i--) {
            int other = random.nextInt(i + 1);
            long page = pages[i];
            pages[i] = pages[other];
            pages[other] = page;
        }
        return pages;
    }

    private static String touch(MemorySegment memory, long[] pages) {
        Histogram nanos = new Histogram(LONGEST_NANOS, 3);
        long sum = 0;
        for (long page : pages) {
            long start = System.nanoTime();
            // Volatile: any other read may be moved behind the second look at the clock.
            sum += (long) LONG.getVolatile(memory, page * SharedFile.SMALL_PAGE);
            nanos.recordValue(System.nanoTime() - start);
        }
        return nanos.getValueAtPercentile(50) + " " + nanos.getValueAtPercentile(99) + " " + sum;
    }
}
