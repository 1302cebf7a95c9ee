package org.exomem.backend.map;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.backend.vm.VmmProcesses.Part;
import org.exomem.linux.LinuxException;
import org.exomem.linux.ResidentPages;
import org.exomem.pages.BitWords;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;

/**
 * The pages of a GiB of guest addresses that had host memory at one time. Immutable.
 *
 * @param words a bit for each page, in {@link PageSet#CHUNK_WORDS} words of 64; without words if {@code all} applies to all
 *     pages
 * @param all whether all pages have host memory, if there are no words
 * @param lookedAt the time, by {@link System#nanoTime}
 * @param isKnown false if that is unknown
 */
record Residence(long[] words, boolean all, long lookedAt, boolean isKnown) {
    static final long[] NO_WORDS = {};
    static final Residence UNKNOWN = new Residence(NO_WORDS, false, 0, false);

    /** Multiplying by this gathers the lowest bits of 8 bytes in the highest byte. */
    private static final long GATHER = 0x0102_0408_1020_4080L;

    private static final long LOWEST = 0x0101_0101_0101_0101L;
    /** The bytes of one call, which keeps the kernel busy for a part of a millisecond. */
    private static final long PIECE = 32L << 20;

    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    long word(int index) {
        if (words.length == 0) {
            return all ? -1L : 0;
        }
        return words[index];
    }

    /**
     * Examines the memory in a GiB. Takes about 10 ms with small pages, less where there is no memory.
     *
     * @param parts of the guest's memory
     * @param buffer of {@link #bufferBytes} bytes
     * @throws LinuxException if the memory can't be examined
     */
    static Residence look(int gib, List<Part> parts, MemorySegment buffer) throws LinuxException {
        long start = Pages.bytes((long) gib * PageSet.CHUNK_PAGES);
        long end = start + Pages.bytes(PageSet.CHUNK_PAGES);
        long[] words = new long[PageSet.CHUNK_WORDS];
        boolean any = false;
        for (Part part : parts) {
            long from = Math.max(start, part.guestAddress());
            long to = Math.min(end, part.guestAddress() + part.length());
            if (from < to && Pages.isWhole(from | part.offset())) {
                any |= look(part, from, to, start, words, buffer);
            }
        }
        return new Residence(any ? words : NO_WORDS, false, System.nanoTime(), true);
    }

    static long bufferBytes() {
        return Pages.floor(PIECE);
    }

    private static boolean look(Part part, long from, long to, long base, long[] words, MemorySegment buffer)
            throws LinuxException {
        if (part.file().pageSize() > Pages.SIZE) {
            // The kernel reports a huge page only to a process that has touched it.
            set(words, Pages.floor(from - base), Pages.ceil(to - base));
            return true;
        }
        boolean any = false;
        long shift = part.offset() - part.guestAddress();
        for (long at = from; at < to; ) {
            // The kernel finds empty ranges at once.
            long data = part.file().nextData(at + shift);
            if (data < 0 || data - shift >= to) {
                break;
            }
            at = Math.max(at, (data - shift) & -Pages.SIZE);
            long length = (Math.min(to - at, PIECE) + Pages.SIZE - 1) & -Pages.SIZE;
            ResidentPages.of(part.file(), at + shift, length, buffer);
            any |= gather(buffer, Pages.floor(length), Pages.floor(at - base), words);
            at += length;
        }
        return any;
    }

    private static void set(long[] words, long from, long end) {
        for (long page = from; page < end; page = BitWords.nextWord(page)) {
            words[(int) BitWords.index(page)] |= BitWords.mask(page, end);
        }
    }

    private static boolean gather(MemorySegment bytes, long count, long first, long[] words) {
        boolean any = false;
        for (long i = 0; i < count; i += Long.BYTES) {
            long eight = bytes.get(LE_LONG, i) & LOWEST;
            long left = count - i;
            if (left < Long.BYTES) {
                eight &= -1L >>> (Long.SIZE - left * Byte.SIZE);
            }
            if (eight != 0) {
                any = true;
                long bits = (eight * GATHER) >>> (Long.SIZE - Byte.SIZE);
                long page = first + i;
                int word = (int) BitWords.index(page);
                words[word] |= bits << page;
                long spilled = (page & (Long.SIZE - 1)) > Long.SIZE - Byte.SIZE ? bits >>> -page : 0;
                if (spilled != 0) {
                    words[word + 1] |= spilled;
                }
            }
        }
        return any;
    }
}
