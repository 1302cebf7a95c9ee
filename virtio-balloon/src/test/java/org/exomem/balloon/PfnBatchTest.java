package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.exomem.vhostuser.memory.GuestMemory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PfnBatchTest {
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void runsComeInAscendingOrderEachPageOnceWhateverTheDriverSent(long seed) {
        Random random = new Random(seed);
        GuestMemory memory = new GuestMemory();
        PfnBatch batch = new PfnBatch();
        LeftAlone nothing = new LeftAlone(() -> 0, what -> {});
        for (int round = 0; round < 50; round++) {
            int count = 1 + random.nextInt(random.nextInt(10) == 0 ? 20_000 : 300);
            // All 32 bits count: the highest page numbers are negative as Java's int.
            int mask = random.nextBoolean() ? -1 : 0x3ff;
            TreeSet<Long> model = new TreeSet<>();
            batch.clear();
            for (int i = 0; i < count; i++) {
                int pfn = random.nextInt() & mask;
                batch.add(pfn, memory, page -> true, nothing);
                model.add(Integer.toUnsignedLong(pfn));
            }
            batch.sort();
            List<Long> pages = new ArrayList<>();
            long[] end = {-2};
            batch.forEachRun((first, length) -> {
                assertThat(first).as("seed %d", seed).isGreaterThan(end[0]);
                for (long page = first; page < first + length; page++) {
                    pages.add(page);
                }
                end[0] = first + length;
            });
            assertThat(pages).as("seed %d, round %d", seed, round).containsExactlyElementsOf(model);
        }
    }
}
