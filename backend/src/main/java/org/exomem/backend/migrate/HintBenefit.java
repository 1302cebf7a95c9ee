package org.exomem.backend.migrate;

import java.io.IOException;
import java.time.Duration;
import java.util.OptionalLong;
import org.exomem.backend.vm.ServedVm;
import org.exomem.balloon.StatisticsTag;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;

/**
 * Whether a guest is worth asking for hints. A driver takes all free memory to hint it, and many kernels clear what they take
 * ({@code init_on_alloc}): asked in vain, a guest that had never touched its memory occupies all of it on the host.
 */
final class HintBenefit {
    /** A guest that is well answers within milliseconds. */
    private static final Duration ANSWER_LIMIT = Duration.ofMillis(100);

    private static final long LEAST = 64L << 20;

    private HintBenefit() {}

    /** Asks the guest how much of its memory is free; waits for its answer for a tenth of a second at most. */
    static boolean isExpected(ServedVm vm, MemoryImage image) throws IOException {
        long allocated = 0;
        for (ImageFile file : image.files()) {
            allocated += file.file().allocatedBytes();
        }
        return isExpected(
                allocated,
                image.pages() * image.pageSize(),
                FreshStatistics.value(vm, StatisticsTag.FREE_MEMORY, ANSWER_LIMIT));
    }

    /**
     * @param allocated bytes of host memory that the guest occupies
     * @param ram bytes of its memory
     * @param free bytes that it says are free, if it says so; if not, there is to be less to lose than to gain
     */
    static boolean isExpected(long allocated, long ram, OptionalLong free) {
        if (free.isEmpty()) {
            return allocated >= ram - allocated;
        }
        long used = Math.max(0, ram - free.getAsLong());
        return allocated - used >= Math.max(LEAST, allocated / 8);
    }
}
