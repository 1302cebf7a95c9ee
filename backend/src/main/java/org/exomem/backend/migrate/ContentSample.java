package org.exomem.backend.migrate;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.exomem.migration.GuestPages;

/** A random sample of a guest's pages that have not been zeros at any look. For one thread. */
final class ContentSample {
    private final GuestPages memory;
    private final int samples;
    private final List<Long> contents = new ArrayList<>();

    /**
     * Divides memory into parts of the same size, and looks at one random page in each.
     *
     * @param most the number of parts, at least 1; fewer if memory has fewer pages
     * @throws IOException if memory can't be read
     */
    ContentSample(GuestPages memory, int most) throws IOException {
        this.memory = memory;
        this.samples = (int) Math.min(most, memory.pages());
        SplittableRandom random = new SplittableRandom();
        for (int i = 0; i < samples; i++) {
            long from = memory.pages() * i / samples;
            contents.add(random.nextLong(from, memory.pages() * (i + 1) / samples));
        }
        lookAgain();
    }

    /**
     * Removes from the sample the pages that have become zeros.
     *
     * @throws IOException if memory can't be read
     */
    void lookAgain() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(memory.pageSize(), Long.BYTES);
            MemorySegment zeros = arena.allocate(memory.pageSize(), Long.BYTES);
            List<Long> left = new ArrayList<>();
            for (long number : contents) {
                memory.read(number, page);
                if (page.mismatch(zeros) >= 0) {
                    left.add(number);
                }
            }
            contents.clear();
            contents.addAll(left);
        }
    }

    /** An estimate of how many bytes of memory have not been zeros at any look. */
    long bytes() {
        return memory.pages() * contents.size() / samples * memory.pageSize();
    }
}
