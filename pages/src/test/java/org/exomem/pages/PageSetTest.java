package org.exomem.pages;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PageSetTest {
    private static final long GIB_PAGES = 1 << 18;
    private final PageSet set = new PageSet();

    @Test
    void pageIsCountedOnceHoweverOftenItIsAdded() {
        assertThat(set.add(7)).isTrue();
        assertThat(set.add(7)).isFalse();
        assertThat(set.count()).isEqualTo(1);
        assertThat(set.remove(7)).isTrue();
        assertThat(set.remove(7)).isFalse();
        assertThat(set.count()).isZero();
    }

    @Test
    void rangesMayCrossBordersOfChunks() {
        assertThat(set.addAll(GIB_PAGES - 3, 6)).isEqualTo(6);
        assertThat(set.containsAll(GIB_PAGES - 3, 6)).isTrue();
        assertThat(set.containsAll(GIB_PAGES - 4, 6)).isFalse();
        assertThat(set.removeAll(GIB_PAGES, 100)).isEqualTo(3);
        assertThat(set.count()).isEqualTo(3);
    }

    @Test
    void emptyRangeChangesNothing() {
        assertThat(set.addAll(5, 0)).isZero();
        assertThat(set.containsAll(5, 0)).isTrue();
        assertThat(set.removeAll(5, 0)).isZero();
    }

    @Test
    void pageNumbersBeyondTheLimitAreRefused() {
        assertThatThrownBy(() -> set.add(-1)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> set.add(PageSet.LIMIT)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(set.contains(PageSet.LIMIT)).isFalse();
    }

    @Test
    void runUpToTheEndOfTheSetIsGivenWhole() {
        set.addAll(GIB_PAGES - 64, 64);
        assertThat(runs()).containsExactly((GIB_PAGES - 64) + "+64");
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void behavesLikeASetOfNumbersUnderRandomChanges(long seed) {
        Random random = new Random(seed);
        TreeSet<Long> model = new TreeSet<>();
        for (int i = 0; i < 20_000; i++) {
            long page = random.nextLong(2000) + (random.nextBoolean() ? 0 : GIB_PAGES - 1000);
            long length = random.nextInt(200);
            switch (random.nextInt(4)) {
                case 0 -> assertThat(set.add(page)).isEqualTo(model.add(page));
                case 1 -> assertThat(set.remove(page)).isEqualTo(model.remove(page));
                case 2 -> {
                    long added = 0;
                    for (long p = page; p < page + length; p++) {
                        added += model.add(p) ? 1 : 0;
                    }
                    assertThat(set.addAll(page, length)).isEqualTo(added);
                }
                default -> {
                    long removed = 0;
                    for (long p = page; p < page + length; p++) {
                        removed += model.remove(p) ? 1 : 0;
                    }
                    assertThat(set.removeAll(page, length)).isEqualTo(removed);
                }
            }
            assertThat(set.count()).isEqualTo(model.size());
            assertThat(set.contains(page)).isEqualTo(model.contains(page));
        }
        assertThat(runs()).isEqualTo(runs(model));
    }

    private List<String> runs() {
        List<String> runs = new ArrayList<>();
        set.forEachRun((first, length) -> runs.add(first + "+" + length));
        return runs;
    }

    private static List<String> runs(TreeSet<Long> pages) {
        List<String> runs = new ArrayList<>();
        long first = -1;
        long next = -1;
        for (long page : pages) {
            if (page != next) {
                if (first >= 0) {
                    runs.add(first + "+" + (next - first));
                }
                first = page;
            }
            next = page + 1;
        }
        if (first >= 0) {
            runs.add(first + "+" + (next - first));
        }
        return runs;
    }

    @Test
    void runsOfAPartOfTheSetEndWithThatPart() {
        set.addAll(10, 20);
        set.addAll(PageSet.CHUNK_PAGES - 5, 10);
        set.addAll(100L * PageSet.CHUNK_PAGES + 64, 64);
        List<String> runs = new ArrayList<>();
        set.forEachRun(15, PageSet.CHUNK_PAGES + 2, true, (first, length) -> runs.add(first + "+" + length));
        assertThat(runs).containsExactly("15+15", (PageSet.CHUNK_PAGES - 5) + "+7");
        runs.clear();
        set.forEachRun(PageSet.CHUNK_PAGES, set.end(), false, (first, length) -> runs.add(first + "+" + length));
        assertThat(runs)
                .containsExactly(
                        (PageSet.CHUNK_PAGES + 5) + "+" + (99L * PageSet.CHUNK_PAGES + 59),
                        (100L * PageSet.CHUNK_PAGES + 128) + "+" + (PageSet.CHUNK_PAGES - 128));
        assertThat(set.word(100L * PageSet.CHUNK_PAGES / 64 + 1)).isEqualTo(-1);
        assertThat(set.word(50L * PageSet.CHUNK_PAGES / 64)).isZero();
    }
}
