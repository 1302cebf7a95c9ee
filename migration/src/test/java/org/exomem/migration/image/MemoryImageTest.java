package org.exomem.migration.image;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageBits;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class MemoryImageTest {
    private static final long PAGE = Pages.SIZE;
    private static final long HIGH = 4L << 30;

    private final List<MemoryRegion> regions = new ArrayList<>();
    private final Arena arena = Arena.ofConfined();

    @AfterEach
    void close() {
        regions.forEach(MemoryRegion::close);
        arena.close();
    }

    /**
     * Two files: one of 8 pages that the guest sees at 0 and, from page 4 on, at 4 GiB; and one of 4 pages that the
     * guest does not see.
     */
    private MemoryImage image() throws IOException {
        SharedFile ram = SharedFile.memfd("ram", 8 * PAGE);
        regions.add(MemoryRegion.map(0, 4 * PAGE, 0, 0, new SharedFile(ram.fd().duplicate())));
        regions.add(MemoryRegion.map(
                HIGH, 4 * PAGE, HIGH, 4 * PAGE, new SharedFile(ram.fd().duplicate())));
        return new MemoryImage(
                List.of(new ImageFile("ram", ram), new ImageFile("rom", SharedFile.memfd("rom", 4 * PAGE))));
    }

    private static void fill(MemoryRegion region, long page, int value) {
        region.segment().asSlice(page * PAGE, PAGE).fill((byte) value);
    }

    @Test
    @Tag("STR-MEM-2")
    void pagesAreThoseOfAllFilesOneAfterTheOther() throws IOException {
        try (MemoryImage image = image()) {
            assertThat(image.pages()).isEqualTo(12);
            fill(regions.get(0), 3, 3);
            fill(regions.get(1), 3, 7);
            MemorySegment read = arena.allocate(12 * PAGE);
            image.read(0, read);
            for (int page = 0; page < 12; page++) {
                int expected = page == 3 || page == 7 ? page : 0;
                assertThat(read.get(JAVA_BYTE, page * PAGE + PAGE - 1)).isEqualTo((byte) expected);
            }
        }
    }

    @Test
    void readingAHoleLeavesItOne() throws IOException {
        try (MemoryImage image = image()) {
            fill(regions.get(0), 2, 1);
            image.read(0, arena.allocate(12 * PAGE));
            assertThat(image.nextData(0)).isEqualTo(2);
            assertThat(image.nextHole(2)).isEqualTo(3);
            assertThat(image.nextData(3)).isEqualTo(12);
        }
    }

    @Test
    void dataAndHolesGoOnFromFileToFile() throws IOException {
        try (MemoryImage image = image()) {
            fill(regions.get(1), 3, 1);
            MemoryRegion rom = MemoryRegion.map(
                    0,
                    PAGE,
                    0,
                    0,
                    new SharedFile(image.files().get(1).file().fd().duplicate()));
            fill(rom, 0, 1);
            rom.close();
            assertThat(image.nextData(0)).isEqualTo(7);
            assertThat(image.nextHole(7)).isEqualTo(9);
            assertThat(image.nextHole(0)).isZero();
            assertThat(image.nextData(9)).isEqualTo(12);
        }
    }

    @Test
    void fileThatWasCutShortIsAnErrorAndNothingElse() throws IOException {
        try (MemoryImage image = image()) {
            image.files().get(1).file().truncate(PAGE);
            assertThatThrownBy(() -> image.read(8, arena.allocate(4 * PAGE)))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("the memory file rom")
                    .hasMessageContaining("was truncated");
        }
    }

    @Test
    void sizeThatIsNoWholePagesIsRefused() throws LinuxException, IOException {
        ImageFile odd = new ImageFile("odd", SharedFile.memfd("odd", PAGE + 1));
        assertThatThrownBy(() -> new MemoryImage(List.of(odd))).hasMessageContaining("not a whole number of pages");
        assertThat(odd.file().fd().isOpen()).isFalse();
    }

    @Test
    void guestAddressesBecomePages() throws IOException {
        try (MemoryImage image = image()) {
            AddressMap map = AddressMap.of(regions, image);
            assertThat(pages(map, 0, 4 * PAGE)).containsExactly(0L, 1L, 2L, 3L);
            assertThat(pages(map, HIGH + PAGE, 2 * PAGE)).containsExactly(5L, 6L);
            assertThat(pages(map, 2 * PAGE, HIGH)).containsExactly(2L, 3L, 4L, 5L);
        }
    }

    @Test
    void partsOfPagesAndAddressesOutsideAreLeftOut() throws IOException {
        try (MemoryImage image = image()) {
            AddressMap map = AddressMap.of(regions, image);
            assertThat(pages(map, 1, 2 * PAGE)).containsExactly(1L);
            assertThat(pages(map, 1, PAGE)).isEmpty();
            assertThat(pages(map, 4 * PAGE, HIGH - 4 * PAGE)).isEmpty();
            assertThat(pages(map, -PAGE, 2 * PAGE)).isEmpty();
            assertThat(pages(map, 3 * PAGE, -1)).containsExactly(3L, 4L, 5L, 6L, 7L);
            assertThat(pages(map, 0, 0)).isEmpty();
        }
    }

    private static List<Long> pages(AddressMap map, long address, long length) {
        List<Long> pages = new ArrayList<>();
        map.forEachRun(address, length, (first, count) -> {
            for (long page = first; page < first + count; page++) {
                pages.add(page);
            }
        });
        return pages;
    }

    @Test
    void bitsTakeThePages() throws IOException {
        try (MemoryImage image = image()) {
            PageBits bits = new PageBits(image.pages());
            AddressMap.of(regions, image).forEachRun(HIGH, 3 * PAGE, bits::add);
            assertThat(bits.count()).isEqualTo(3);
            assertThat(bits.contains(6)).isTrue();
        }
    }
}
