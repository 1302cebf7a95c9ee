package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.junit.jupiter.api.Test;

/** Free memory is told by the largest aligned blocks that it lies in. */
final class BlockSizesTest {
    private static final int LARGEST = 10;

    private final PageSet pages = new PageSet();
    private final BlockSizes sizes = new BlockSizes();

    private List<Long> counted() {
        sizes.clear();
        while (sizes.countNext(pages)) {
            // All of them.
        }
        return sizes.bytes();
    }

    /** The same, page by page. */
    private List<Long> expected() {
        long[] bytes = new long[LARGEST + 1];
        pages.forEachRun((first, count) -> {
            for (long page = first; page < first + count; ) {
                int order = LARGEST;
                while (page % (1L << order) != 0 || page + (1L << order) > first + count) {
                    order--;
                }
                bytes[order] += Pages.bytes(1L << order);
                page += 1L << order;
            }
        });
        List<Long> list = new ArrayList<>();
        for (long value : bytes) {
            list.add(value);
        }
        return list;
    }

    @Test
    void runsOfAnyLengthAtAnyPlaceAreSplitAsAnAllocatorWould() {
        Random random = new Random(1);
        for (int round = 0; round < 200; round++) {
            pages.clear();
            for (int run = 0; run < 100; run++) {
                long length = 1 + random.nextInt(1 << random.nextInt(13));
                pages.addAll(random.nextInt(2 * PageSet.CHUNK_PAGES), length);
            }
            assertThat(counted()).isEqualTo(expected());
        }
    }

    @Test
    void eachSizeIsCounted() {
        for (int order = 0; order <= LARGEST; order++) {
            pages.addAll(2L << LARGEST + order, 1L << order);
        }
        assertThat(counted()).isEqualTo(expected()).doesNotContain(0L);
    }

    @Test
    void memoryThatIsAllFreeIsOfTheLargest() {
        pages.addAll(0, PageSet.CHUNK_PAGES);
        assertThat(counted().getLast()).isEqualTo(1L << 30);
        assertThat(counted()).isEqualTo(expected());
    }

    @Test
    void everyOtherPageIsASmallest() {
        for (long page = 0; page < PageSet.CHUNK_PAGES; page += 2) {
            pages.add(page);
        }
        assertThat(counted().getFirst()).isEqualTo(1L << 29);
        assertThat(counted()).isEqualTo(expected());
    }
}
