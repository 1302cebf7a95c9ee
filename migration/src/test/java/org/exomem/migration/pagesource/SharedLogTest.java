package org.exomem.migration.pagesource;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.image.AddressMap.Range;
import org.exomem.pages.PageBits;
import org.exomem.vhostuser.memory.DirtyLog;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class SharedLogTest {
    private static final long PAGE = 4096;

    private static PageBits sync(SharedLog log, long pages) {
        PageBits into = new PageBits(pages);
        log.sync(into);
        return into;
    }

    @Test
    void markedPagesAreAddedOnceAtTheirPlaceInTheImage() throws LinuxException {
        // 3 pages at address 5 pages, which are image pages from 70 on; 100 pages at address 1000 pages, which are
        // image pages from 0 on.
        AddressMap map =
                new AddressMap(List.of(new Range(5 * PAGE, 3 * PAGE, 100), new Range(1000 * PAGE, 100 * PAGE, 0)));
        long pages = 103;
        try (SharedFile file = SharedFile.memfd("log", PAGE);
                DirtyLog marks = DirtyLog.map(file, 0, 144);
                Mapping mapping = Mapping.of(file, 0, 144)) {
            SharedLog log = new SharedLog(mapping.segment(), map, pages);
            assertThat(sync(log, pages).isEmpty()).isTrue();

            marks.mark(4 * PAGE, 2 * PAGE);
            marks.mark(7 * PAGE + 100, 1);
            marks.mark(1023 * PAGE, 2 * PAGE);
            marks.mark(1099 * PAGE, 100 * PAGE);
            assertThat(sync(log, pages)).hasToString("23-24 99-100 102");
            assertThat(sync(log, pages).isEmpty()).isTrue();
        }
    }

    @Test
    @Tag("MIG-DIRTY-4")
    void pagesOutsideTheLogAreTakenForWrittenEachTime() {
        AddressMap map = new AddressMap(List.of(new Range(0, 100 * PAGE, 2)));
        SharedLog log = new SharedLog(MemorySegment.ofArray(new long[1]), map, 104);
        assertThat(sync(log, 104)).hasToString("0-1 66-103");
        assertThat(sync(log, 104)).hasToString("0-1 66-103");
    }

    @Test
    void rangesMayBeginAtAnyPage() {
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            List<Range> ranges = new ArrayList<>();
            long address = 0;
            long image = 0;
            for (int i = 1 + random.nextInt(3); i > 0; i--) {
                // The ends are within words and at their boundaries, and there is more than is fetched at a time.
                long step = random.nextBoolean() ? 1 : 64;
                address += random.nextInt(200) * step;
                long length = 1 + random.nextInt(700) * step;
                ranges.add(new Range(address * PAGE, length * PAGE, image));
                address += length;
                image += length;
            }
            long[] words = new long[(int) (address / 64) + 1];
            for (int i = 0; i < words.length; i++) {
                words[i] = random.nextInt(3) == 0 ? 0 : random.nextLong();
            }
            PageBits expected = new PageBits(image);
            for (Range range : ranges) {
                for (long page = 0; page < range.length() / PAGE; page++) {
                    long at = range.guestAddress() / PAGE + page;
                    if ((words[(int) (at / 64)] >>> at & 1) != 0) {
                        expected.add(range.firstPage() + page, 1);
                    }
                }
            }
            SharedLog log = new SharedLog(MemorySegment.ofArray(words), new AddressMap(ranges), image);
            assertThat(sync(log, image)).describedAs("seed %d", seed).hasToString(expected.toString());
            assertThat(words).describedAs("seed %d", seed).containsOnly(0);
        }
    }

    @Test
    @Tag("MIG-DIRTY-3")
    void bitsAreInTheOrderOfTheProtocol() {
        MemorySegment memory = MemorySegment.ofArray(new long[2]);
        memory.set(JAVA_BYTE, 9, (byte) 0b101);
        SharedLog log = new SharedLog(memory, new AddressMap(List.of(new Range(0, 128 * PAGE, 0))), 128);
        assertThat(sync(log, 128)).hasToString("72 74");
        assertThat(memory.get(JAVA_BYTE, 9)).isZero();
    }

    @Test
    @Timeout(180)
    @Tag("MIG-DIRTY-1")
    @Tag("MIG-DIRTY-3")
    void noMarkIsLostToAFetchAtTheSameTime() throws Exception {
        int pages = 64;
        int rounds = 200_000;
        AddressMap map = new AddressMap(List.of(new Range(0, pages * PAGE, 0)));
        try (SharedFile file = SharedFile.memfd("log", PAGE);
                DirtyLog marks = DirtyLog.map(file, 0, 8);
                Mapping mapping = Mapping.of(file, 0, 8)) {
            SharedLog log = new SharedLog(mapping.segment(), map, pages);
            int[] marked = new int[pages];
            Thread writer = new Thread(() -> {
                for (int i = 0; i < rounds; i++) {
                    int page = i * 7 % pages;
                    marked[page] = i;
                    marks.mark(page * PAGE, 1);
                }
            });
            int[] seen = new int[pages];
            writer.start();
            while (writer.isAlive()) {
                sync(log, pages).forEachRun((first, count) -> {
                    for (int p = (int) first; p < first + count; p++) {
                        seen[p] = marked[p];
                    }
                });
            }
            writer.join();
            sync(log, pages).forEachRun((first, count) -> {
                for (int p = (int) first; p < first + count; p++) {
                    seen[p] = marked[p];
                }
            });
            // A reader that sees the bit sees the write before it. So the last write of each page was seen.
            assertThat(seen).isEqualTo(marked);
        }
    }
}
