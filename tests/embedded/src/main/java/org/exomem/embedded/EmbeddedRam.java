package org.exomem.embedded;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.LinuxException;
import org.jspecify.annotations.Nullable;

/**
 * The guest's memory, in pages of 4096 bytes that are numbered by their order in the file, with the log of writes. The
 * first pages belong to the guest's drivers, all others to its program. Any thread may read and write, each page by one
 * thread at a time.
 */
final class EmbeddedRam implements AutoCloseable {
    /** Bytes that belong to the guest's drivers, for rings and buffers. */
    static final long DRIVER_BYTES = 1 << 20;

    private static final long FOUR_GIB = 1L << 32;
    private static final int WORDS = (int) (GuestRam.PAGE / 8);
    /** The difference between two successive words of a page. It is odd, so all words of a page differ. */
    private static final long STEP = 0x9e3779b97f4a7c15L;

    private final Path path;
    private final GuestRam ram;
    private final MemorySegment contents;
    private final long low;
    private final boolean isClone;
    private final @Nullable WriteLog log;

    private EmbeddedRam(Path path, GuestRam ram, long low, boolean isClone, @Nullable WriteLog log) {
        this.isClone = isClone;
        this.path = path;
        this.ram = ram;
        this.contents = ram.contents();
        this.low = low;
        this.log = log;
    }

    /**
     * @param path the file; created if it is missing
     * @param size bytes, a multiple of 4096
     * @param low the bytes from guest address 0 on; the others begin at 4 GiB
     * @param log the file of the log; null for none
     */
    static EmbeddedRam open(Path path, long size, long low, @Nullable Path log) throws LinuxException {
        GuestRam ram = GuestRam.ofSharedFile(path, layout(size, low));
        try {
            Region last = ram.regions().getLast();
            return new EmbeddedRam(
                    path,
                    ram,
                    Math.min(low, size),
                    false,
                    log == null ? null : WriteLog.create(log, last.guestAddress() + last.size()));
        } catch (LinuxException e) {
            ram.close();
            throw e;
        }
    }

    /** Opens a clone's memory. It has the content of the file, and does not write to the file. */
    static EmbeddedRam ofTemplate(Path path, long size, long low) throws LinuxException {
        return new EmbeddedRam(path, GuestRam.ofTemplate(path, layout(size, low)), Math.min(low, size), true, null);
    }

    private static long[] layout(long size, long low) {
        return low < size ? new long[] {0, low, FOUR_GIB, size - low} : new long[] {0, size};
    }

    /** True if writes go to the file; false if they are private to this process. */
    boolean isShared() {
        return !isClone;
    }

    Path path() {
        return path;
    }

    GuestRam ram() {
        return ram;
    }

    @Nullable
    WriteLog log() {
        return log;
    }

    long size() {
        return contents.byteSize();
    }

    /** The bytes below the hole. */
    long low() {
        return low;
    }

    int pages() {
        return (int) (size() / GuestRam.PAGE);
    }

    /** The first page of the program. */
    static int firstPage() {
        return (int) (DRIVER_BYTES / GuestRam.PAGE);
    }

    /** The first page above the hole; the number of pages if there is no hole. */
    int firstHighPage() {
        return (int) (low / GuestRam.PAGE);
    }

    /** The guest address of a page. */
    long address(int page) {
        long offset = page * GuestRam.PAGE;
        return offset < low ? offset : FOUR_GIB + (offset - low);
    }

    /**
     * Allocates host memory for pages that are about to be written. For many pages at once, that is several times
     * faster than a fault for each.
     *
     * @throws UncheckedIOException if the host has no room
     */
    void prepare(PageAllocator.Run run) {
        if (isClone) {
            return;
        }
        try {
            ram.file().allocate(run.first() * GuestRam.PAGE, run.count() * GuestRam.PAGE);
        } catch (LinuxException e) {
            throw new UncheckedIOException("not enough space for the guest's memory in " + path, e);
        }
    }

    /** Writes a whole page; {@code first} determines its content. */
    void write(int page, long first) {
        long at = page * GuestRam.PAGE;
        long value = first;
        for (int i = 0; i < WORDS; i++) {
            contents.set(JAVA_LONG, at + 8L * i, value);
            value += STEP;
        }
        if (log != null) {
            log.mark(address(page) / GuestRam.PAGE);
        }
    }

    /** The number of the page's 512 words that differ from what {@link #write} wrote. */
    int wrongWords(int page, long first) {
        long at = page * GuestRam.PAGE;
        long value = first;
        int wrong = 0;
        for (int i = 0; i < WORDS; i++) {
            if (contents.get(JAVA_LONG, at + 8L * i) != value) {
                wrong++;
            }
            value += STEP;
        }
        return wrong;
    }

    /** The first word of a page. */
    long firstWord(int page) {
        return contents.get(JAVA_LONG, page * GuestRam.PAGE);
    }

    /** Marks all memory of the drivers as written: the drivers and their devices may have written any of it. */
    void driversWrote() {
        if (log != null && ram.firstFreePage() > 0) {
            log.mark(0, ram.firstFreePage());
        }
    }

    @Override
    public void close() {
        if (log != null) {
            log.close();
        }
        ram.close();
    }
}
