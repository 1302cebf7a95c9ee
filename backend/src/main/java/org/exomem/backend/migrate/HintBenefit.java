package org.exomem.backend.migrate;

import java.io.IOException;
import java.time.Duration;
import java.util.OptionalLong;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.balloon.StatisticsTag;
import org.exomem.migration.GuestPages;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;

/**
 * Decides whether it is worth asking a guest for hints. To hint its free memory, a driver allocates all of it, and many
 * kernels clear what they allocate ({@code init_on_alloc}). So the guest may write memory that it never touched before, and
 * its host has to provide that memory. Hints pay off only if they save more than this costs: the saving is free memory that
 * does not hold zeros, the cost is memory that the host has not provided yet.
 */
final class HintBenefit {
    /** A guest that works normally answers within milliseconds. */
    private static final Duration ANSWER_LIMIT = Duration.ofMillis(100);

    private static final long LEAST = 64L << 20;

    /** A sample of this many pages shows to one or two percent how much of memory is not zeros, and takes about 10 ms. */
    private static final int SAMPLES = 4096;

    private HintBenefit() {}

    /**
     * Asks the guest how much of its memory is free, and waits at most 100 ms for its answer.
     *
     * @throws IOException if memory can't be read
     */
    static boolean isExpected(VirtualMachine vm, MemoryImage image) throws IOException {
        long allocated = 0;
        for (ImageFile file : image.files()) {
            allocated += file.file().allocatedBytes();
        }
        return isExpected(
                contents(image),
                allocated,
                image.pages() * image.pageSize(),
                FreshStatistics.value(vm, StatisticsTag.FREE_MEMORY, ANSWER_LIMIT));
    }

    /**
     * @param contents bytes of the guest's memory that are not zeros
     * @param allocated bytes of host memory that the guest occupies
     * @param ram bytes of the guest's memory
     * @param free bytes that the guest reports as free; if it reports none, all memory may be free
     */
    static boolean isExpected(long contents, long allocated, long ram, OptionalLong free) {
        long used = ram - Math.min(ram, free.orElse(ram));
        long saved = contents - used;
        return saved >= Math.max(LEAST, contents / 8) && saved >= ram - allocated;
    }

    /** Estimates how many bytes are in pages that are not zeros, from a sample of all of memory. */
    static long contents(GuestPages memory) throws IOException {
        return new ContentSample(memory, SAMPLES).bytes();
    }
}
