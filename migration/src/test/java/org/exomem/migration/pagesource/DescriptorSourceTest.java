package org.exomem.migration.pagesource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.GuestPages;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageDescriptors.Guard;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A guest with 64 pages at 1 MiB and 64 at 4 GiB. Its descriptors, of 64 bytes, are in its first page; a guard is in the second. */
class DescriptorSourceTest {
    private static final long PAGE = 4096;
    private static final long PAGES = 128;
    private static final long LOW = 1L << 20;
    private static final long HIGH = 1L << 32;
    private static final int STRIDE = 64;
    private static final int MARK_OFFSET = 48;
    private static final int ORDER_OFFSET = 40;
    private static final int MARK = 0xF0000000;
    private static final int MOST_ORDER = 10;
    private static final int TRIES = Integer.getInteger("exomem.fuzz", 20_000);
    private static final Guard GUARD = new Guard(LOW + PAGE, 0xFF, 0);

    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final AddressMap map =
            new AddressMap(List.of(new AddressMap.Range(LOW, 64 * PAGE, 0), new AddressMap.Range(HIGH, 64 * PAGE, 64)));

    private MemoryImage image;
    private Mapping memory;
    private List<PageDescriptors> told = new ArrayList<>();

    @BeforeEach
    void makeMemory() throws IOException {
        SharedFile file = SharedFile.memfd("guest", PAGES * PAGE);
        memory = Mapping.of(file, 0, PAGES * PAGE);
        image = new MemoryImage(List.of(new ImageFile("ram", file)));
    }

    @AfterEach
    void close() {
        memory.close();
        image.close();
    }

    private void set(long offset, int value) {
        memory.segment().set(WORD, offset, value);
    }

    private void free(int descriptor, int order) {
        set((long) descriptor * STRIDE + MARK_OFFSET, MARK | 0x1234);
        set((long) descriptor * STRIDE + ORDER_OFFSET, order);
    }

    private static PageDescriptors descriptors(List<Guard> guards, PageDescriptors.Range... ranges) {
        return new PageDescriptors(
                12, MOST_ORDER, STRIDE, MARK_OFFSET, ORDER_OFFSET, 0xF0000000, MARK, guards, List.of(ranges));
    }

    private static PageDescriptors.Range range(long address, long pages, long descriptors) {
        return new PageDescriptors.Range(address, pages, descriptors, 1);
    }

    private DescriptorSource source(GuestPages pages) {
        return new DescriptorSource(pages, map, () -> told);
    }

    private String collect() throws IOException {
        PageBits free = new PageBits(PAGES);
        DescriptorSource source = source(image);
        source.synced();
        assertThat(source.collect(free, free)).isTrue();
        assertThat(source.collect(free, free)).as("again without a sync").isFalse();
        return free.toString();
    }

    private boolean settles() throws IOException {
        return source(image).settle() == Settling.CERTAIN;
    }

    @Test
    @Tag("FPB-DESC-2")
    void blocksWhoseHeadIsMarkedAreFree() throws IOException {
        told.add(descriptors(List.of(GUARD), range(LOW, 64, LOW)));
        free(3, 0);
        free(16, 4);
        free(40, 3);
        assertThat(collect()).isEqualTo("3 16-31 40-47");
    }

    @Test
    @Tag("FPB-DESC-7")
    void headsThatCannotBeOnesSayNothing() throws IOException {
        told.add(descriptors(List.of(GUARD), range(LOW, 64, LOW)));
        free(5, 1);
        free(8, MOST_ORDER + 1);
        free(9, -1);
        free(12, 31);
        free(63, 0);
        assertThat(collect()).isEqualTo("63");
    }

    @Test
    @Tag("FPB-DESC-7")
    void onlyPagesInTheRangeOfTheHeadCount() throws IOException {
        told.add(descriptors(List.of(GUARD), range(LOW + 16 * PAGE, 5, LOW)));
        free(0, 4);
        assertThat(collect()).isEqualTo("16-20");
    }

    @Test
    @Tag("FPB-DESC-7")
    void descriptorsAndPagesOutsideMemorySayNothing() throws IOException {
        told.add(descriptors(
                List.of(GUARD),
                range(LOW, 64, LOW + 64 * PAGE - STRIDE),
                range(LOW + 60 * PAGE, 8, LOW + STRIDE * 8),
                range(LOW, 64, -STRIDE),
                range(HIGH + 64 * PAGE, 64, LOW),
                range(LOW, 64, 7L << 40)));
        set(64 * PAGE - STRIDE + MARK_OFFSET, MARK);
        free(8, 0);
        free(12, 2);
        // The first range has one descriptor in memory, and the second one has four pages.
        assertThat(collect()).isEqualTo("0 60");
    }

    @Test
    @Tag("FPB-DESC-7")
    void aDescriptorAcrossTwoPagesOfMemoryIsRead() throws IOException {
        told.add(descriptors(List.of(GUARD), range(HIGH, 64, LOW + PAGE - MARK_OFFSET - 2)));
        set(PAGE - 2, MARK);
        assertThat(collect()).isEqualTo("64");
    }

    @Test
    @Tag("FPB-DESC-6")
    void itIsSettledOnlyIfEachGuardThatARangeNamesHolds() throws IOException {
        Guard unused = new Guard(LOW + PAGE + 4, -1, 5);
        told.add(descriptors(List.of(GUARD, unused), range(LOW, 64, LOW)));
        assertThat(settles()).isTrue();
        set(PAGE, 0x100);
        assertThat(settles()).as("bits outside the mask").isTrue();
        set(PAGE, 0x101);
        assertThat(settles()).as("a lock that is taken").isFalse();
    }

    @Test
    @Tag("FPB-DESC-6")
    @Tag("FPB-DESC-7")
    void nothingIsSettledByAGuardOutsideMemoryOrWithoutDescriptors() throws IOException {
        assertThat(source(image).settle()).as("nothing was told").isEqualTo(Settling.NEVER);
        told.add(descriptors(List.of(new Guard(LOW + 64 * PAGE - 2, 0, 0)), range(LOW, 64, LOW)));
        assertThat(settles()).as("a guard that ends behind memory").isFalse();
        told.set(0, descriptors(List.of(new Guard(Long.MAX_VALUE - 2, 0, 0)), range(LOW, 64, LOW)));
        assertThat(settles()).as("a guard beyond all memory").isFalse();
    }

    @Test
    @Timeout(60)
    @Tag("FPB-DESC-11")
    void rangesThatAllSayThatAllOfMemoryIsFreeCostNoMoreThanMemory() throws IOException {
        List<PageDescriptors.Range> many = new ArrayList<>();
        for (int i = 0; i < 65536; i++) {
            many.add(range(0, 1L << 40, LOW));
        }
        free(0, 30);
        told.add(
                new PageDescriptors(12, 30, STRIDE, MARK_OFFSET, ORDER_OFFSET, 0xF0000000, MARK, List.of(GUARD), many));
        assertThat(collect()).isEqualTo("0-127");
    }

    @Test
    @Tag("MIG-SETTLE-3")
    void rangesWhoseGuardNeverHoldsAreGivenUpAndTheOthersCount() throws IOException {
        Guard broken = new Guard(LOW + PAGE + 4, -1, 5);
        told.add(descriptors(List.of(GUARD, broken), range(LOW, 32, LOW), new PageDescriptors.Range(HIGH, 32, LOW, 3)));
        free(3, 0);
        DescriptorSource source = source(image);
        assertThat(source.settle()).isEqualTo(Settling.NOT_NOW);
        source.guessLess();
        assertThat(source.settle()).isEqualTo(Settling.CERTAIN);
        PageBits free = new PageBits(PAGES);
        source.synced();
        source.collect(free, free);
        assertThat(free).hasToString("3");
    }

    @Test
    @Tag("MIG-SETTLE-1")
    @Tag("FPB-DESC-5")
    void whatIsReadWhileTheGuestRunsIsAGuess() throws IOException {
        told.add(descriptors(List.of(GUARD), range(LOW, 64, LOW)));
        DescriptorSource source = source(image);
        assertThat(source.isGuess()).isTrue();
        source.settle();
        assertThat(source.isGuess()).isFalse();
        told.clear();
        source.settle();
        assertThat(source.isGuess()).as("the driver took it back").isTrue();
    }

    @Test
    @Tag("FPB-DESC-11")
    void rangesThatOverlapAreNotLookedAtMoreOftenThanTheGuestHasPages() throws IOException {
        CountingPages counting = new CountingPages(image);
        List<PageDescriptors.Range> many = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            many.add(range(LOW, 64, i % 2 == 0 ? LOW : HIGH));
        }
        told.add(descriptors(List.of(GUARD), many.toArray(PageDescriptors.Range[]::new)));
        DescriptorSource source = source(counting);
        source.synced();
        source.collect(new PageBits(PAGES), new PageBits(PAGES));
        assertThat(counting.reads).isLessThanOrEqualTo((int) PAGES);
    }

    @Test
    @Timeout(60)
    @Tag("FPB-DESC-7")
    @Tag("FPB-DESC-11")
    void whateverIsToldNothingOutsideTheImageIsReadOrMarked() {
        long seed = Long.getLong("exomem.seed", System.nanoTime());
        Random random = new Random(seed);
        for (long at = 0; at < PAGES * PAGE; at += Integer.BYTES) {
            set(at, random.nextInt(4) == 0 ? MARK : random.nextInt(12));
        }
        DescriptorSource source = source(image);
        assertThatCode(() -> {
                    for (int i = 0; i < TRIES; i++) {
                        told = List.of(random(random));
                        source.settle();
                        source.synced();
                        PageBits free = new PageBits(PAGES);
                        source.collect(free, free);
                    }
                })
                .as("seed %d", seed)
                .doesNotThrowAnyException();
    }

    /** Descriptors as in a parsed message (FPB-DESC-7): fields are within their bounds, addresses are arbitrary. */
    private PageDescriptors random(Random random) {
        int stride = 4 + random.nextInt(4093);
        int shift = 12 + random.nextInt(random.nextBoolean() ? 1 : 19);
        long bytes = 1L << shift;
        List<PageDescriptors.Range> ranges = new ArrayList<>();
        for (int i = random.nextInt(5); i >= 0; i--) {
            long address = address(random) & -bytes;
            long most = (-1L >>> shift) + 1 - (address >>> shift);
            long pages = random.nextBoolean() ? most : Math.min(most, random.nextInt(200));
            ranges.add(new PageDescriptors.Range(address, pages, address(random), 1 + random.nextInt(7)));
        }
        return new PageDescriptors(
                shift,
                random.nextInt(31),
                stride,
                random.nextInt(stride - 3),
                random.nextInt(stride - 3),
                random.nextBoolean() ? MARK : random.nextInt() | 1,
                MARK,
                List.of(
                        new Guard(address(random), random.nextInt(), random.nextInt()),
                        new Guard(address(random), 0, 0),
                        GUARD),
                ranges);
    }

    private static long address(Random random) {
        return switch (random.nextInt(5)) {
            case 0 -> LOW + random.nextInt(70 * (int) PAGE) - 3 * PAGE;
            case 1 -> HIGH + random.nextInt(70 * (int) PAGE) - 3 * PAGE;
            case 2 -> -random.nextInt(1 << 20);
            case 3 -> random.nextInt(1 << 16);
            default -> random.nextLong();
        };
    }

    private static final class CountingPages implements GuestPages {
        private final GuestPages pages;
        private int reads;

        CountingPages(GuestPages pages) {
            this.pages = pages;
        }

        @Override
        public long pages() {
            return pages.pages();
        }

        @Override
        public int pageSize() {
            return pages.pageSize();
        }

        @Override
        public long nextData(long from) throws IOException {
            return pages.nextData(from);
        }

        @Override
        public long nextHole(long from) throws IOException {
            return pages.nextHole(from);
        }

        @Override
        public void read(long first, MemorySegment into) throws IOException {
            reads++;
            pages.read(first, into);
        }
    }
}
