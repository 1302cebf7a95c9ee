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
 * Whether a guest is worth asking for hints. A driver takes all free memory to hint it, and many kernels clear what they take
 * ({@code init_on_alloc}): if that saves nothing, the guest has written all memory that it never touched, and its host has to find room for
 * it. So there must be more to save than the host may lose: free memory that does not hold zeros anyway, against memory that
 * the host has given nothing for yet.
 */
final class HintBenefit {
    /** A guest that is well answers within milliseconds. */
    private static final Duration ANSWER_LIMIT = Duration.ofMillis(100);

    private static final long LEAST = 64L << 20;

    /** So many pages tell to one or two percent of memory how much of it has contents, in some 10 ms. */
    private static final int SAMPLES = 4096;

    private HintBenefit() {}

    /** Asks the guest how much of its memory is free; waits for its answer for a tenth of a second at most. */
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
     * @param contents bytes of its memory that are not zeros
     * @param allocated bytes of host memory that the guest occupies
     * @param ram bytes of its memory
     * @param free bytes that it says are free, if it says so; if not, all may be
     */
    static boolean isExpected(long contents, long allocated, long ram, OptionalLong free) {
        long used = ram - Math.min(ram, free.orElse(ram));
        long saved = contents - used;
        return saved >= Math.max(LEAST, contents / 8) && saved >= ram - allocated;
    }

    /** The bytes in pages that are not zeros, by a sample from all over memory. */
    static long contents(GuestPages memory) throws IOException {
        return new ContentSample(memory, SAMPLES).bytes();
    }
}
