package org.exomem.backend.migrate;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.exomem.migration.GuestPages;

/** Pages from all over a guest's memory that were not zeros when they were looked at. For one thread. */
final class ContentSample {
    private final GuestPages memory;
    private final int samples;
    private final List<Long> contents = new ArrayList<>();

    /**
     * Looks at one page in each of so many parts of memory.
     *
     * @param most parts, at least 1
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

    /** Leaves out what has become zeros since. */
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

    /** About how many bytes of memory have not been zeros at any look. */
    long bytes() {
        return memory.pages() * contents.size() / samples * memory.pageSize();
    }
}
