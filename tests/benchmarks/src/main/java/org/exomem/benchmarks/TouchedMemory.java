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

/**
 * A process that has memory mapped, and touches it on request. {@link PageFaultCost} and {@link RemoteFaultCost} serve
 * its faults.
 */
final class TouchedMemory {
    private static final long LONGEST_NANOS = 10_000_000_000L;
    private static final long SEED = 1;
    private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

    private TouchedMemory() {}

    /**
     * Answers {@code pid}, or {@code touch PAGES NANOS}, which touches that many pages in random order. Only touches
     * that took at least NANOS count. The answer is their median and 99th percentile in ns, the sum of the values read,
     * and the number of touches that count.
     */
    public static void main(String[] arguments) throws IOException {
        SharedFile file = new SharedFile(ChildJvm.descriptors(arguments).getFirst());
        MemorySegment memory = Mapping.of(file, 0, file.size()).segment();
        long[] pages = shuffled(file.size() / SharedFile.SMALL_PAGE);
        ChildJvm.serve(question -> {
            String[] words = question.split(" ");
            return words[0].equals("touch")
                    ? touch(memory, pages, Integer.parseInt(words[1]), Long.parseLong(words[2]))
                    : Long.toString(ProcessHandle.current().pid());
        });
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

    private static String touch(MemorySegment memory, long[] pages, int count, long least) {
        Histogram nanos = new Histogram(LONGEST_NANOS, 3);
        long sum = 0;
        for (int i = 0; i < count; i++) {
            long start = System.nanoTime();
            // Volatile: the JVM could move any other read behind the second look at the clock.
            sum += (long) LONG.getVolatile(memory, pages[i] * SharedFile.SMALL_PAGE);
            long taken = System.nanoTime() - start;
            if (taken >= least) {
                nanos.recordValue(taken);
            }
        }
        return nanos.getValueAtPercentile(50) + " " + nanos.getValueAtPercentile(99) + " " + sum + " "
                + nanos.getTotalCount();
    }
}
