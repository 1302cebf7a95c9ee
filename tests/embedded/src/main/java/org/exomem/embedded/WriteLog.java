package org.exomem.embedded;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/**
 * The file in which a VMM records its guest's writes: one bit for each 4096 bytes of guest-physical addresses, bit
 * {@code p % 8} of byte {@code p / 8} for page {@code p}, as in the vhost log (VMM-9). A reader may fetch and clear
 * bits at any time. It then reads the pages of these bits. Safe for use by several threads.
 *
 * <p>A bit is set <em>after</em> the write that it stands for, and before the guest counts as paused (VMM-10). A reader
 * that clears the bit sees that write when it reads the page, because setting releases and clearing acquires. A reader
 * that cleared the bit earlier finds it set in its next round, and there is a round after the pause. If the bit were
 * set before the write, a reader could clear it and read the page in between, and would never read the page again.
 */
final class WriteLog implements AutoCloseable {
    private static final VarHandle WORD = JAVA_LONG.varHandle();

    private final Path path;
    private final Mapping mapping;
    private final MemorySegment words;

    private WriteLog(Path path, Mapping mapping) {
        this.path = path;
        this.mapping = mapping;
        this.words = mapping.segment();
    }

    /**
     * Creates a log of guest addresses from 0 on.
     *
     * @param end the end of guest memory, in bytes
     */
    static WriteLog create(Path path, long end) throws LinuxException {
        long pages = end / GuestRam.PAGE;
        long size = (pages + 63) / 64 * 8;
        // The mapping outlives the descriptor.
        try (SharedFile file = SharedFile.openOrCreate(path, size)) {
            return new WriteLog(path, Mapping.of(file, 0, size));
        }
    }

    Path path() {
        return path;
    }

    /** The size of the log in bytes. */
    long size() {
        return words.byteSize();
    }

    /** Records a completed write of a page, by its number. */
    void mark(long page) {
        // Always the atomic operation, never "only if the bit is clear": such a read could overtake the write of the
        // page, and see a bit that a reader clears before the write is visible to it.
        WORD.getAndBitwiseOrRelease(words, page >>> 6 << 3, 1L << (page & 63));
    }

    /** Records writes of a range, in bytes. */
    void mark(long address, long length) {
        long last = (address + length - 1) / GuestRam.PAGE;
        for (long page = address / GuestRam.PAGE; page <= last; page++) {
            mark(page);
        }
    }

    /** Also deletes the file: without its guest the log is useless. */
    @Override
    public void close() {
        mapping.close();
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            // The file remains for its owner.
        }
    }
}
