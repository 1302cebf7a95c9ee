package org.exomem.images.copy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/** Frees the parts of a RAM file that need no space, in place. No process may write to the file meanwhile. */
public final class PageDrop {
    private static final long PAGE = SharedFile.SMALL_PAGE;
    private static final long PIECE = 256 << 10;

    /**
     * The result for a file.
     *
     * @param kept bytes of data that it still has
     * @param zeros bytes of pages of zeros that are holes now
     * @param free bytes of free pages that are holes now
     */
    public record Result(long kept, long zeros, long free) {}

    private final SharedFile file;
    private long kept;
    private long zeros;
    private long freed;

    private PageDrop(SharedFile file) {
        this.file = file;
    }

    /**
     * Makes holes of free pages and of pages of zeros. Processes that have mapped the file see no change in pages of zeros.
     * Huge pages become holes only as a whole.
     *
     * @param free the pages whose content is not needed, by their numbers in the file; null if none are known
     * @throws IllegalArgumentException if {@code free} has another number of pages than the file
     * @throws IOException if the file system refuses
     */
    public static Result of(SharedFile file, @Nullable PageBits free) throws IOException {
        long size = file.size();
        if (free != null && free.pages() != size / PAGE) {
            throw new IllegalArgumentException("a file of " + size + " bytes does not have " + free.pages() + " pages");
        }
        PageDrop drop = new PageDrop(file);
        if (free != null) {
            drop.free(free);
        }
        drop.zeros(size);
        return new Result(drop.kept, drop.zeros, drop.freed);
    }

    private void free(PageBits free) throws IOException {
        long unit = file.pageSize() / PAGE;
        free.forEachRun((first, count) -> {
            long start = (first + unit - 1) / unit * unit;
            long end = (first + count) / unit * unit;
            if (start < end) {
                freed += dataIn(start * PAGE, end * PAGE);
                file.punchHole(start * PAGE, (end - start) * PAGE);
            }
        });
    }

    private long dataIn(long start, long end) throws IOException {
        long bytes = 0;
        long at = file.nextData(start);
        while (at >= 0 && at < end) {
            long hole = Math.min(end, file.nextHole(at));
            bytes += hole - at;
            at = hole < end ? file.nextData(hole) : -1;
        }
        return bytes;
    }

    private void zeros(long size) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(Math.max(PIECE, file.pageSize()), PAGE);
            long at = file.nextData(0);
            while (at >= 0 && at < size) {
                long start = at / file.pageSize() * file.pageSize();
                long end = Math.min(size, file.nextHole(at));
                for (long piece = start; piece < end; piece += buffer.byteSize()) {
                    piece(piece, buffer.asSlice(0, Math.min(buffer.byteSize(), end - piece)));
                }
                at = end < size ? file.nextData(end) : -1;
            }
        }
    }

    private void piece(long at, MemorySegment buffer) throws IOException {
        long length = file.read(at, buffer) / PAGE * PAGE;
        long unit = file.pageSize();
        for (long i = 0; i + unit <= length; i += unit) {
            if (ZeroPages.isZero(buffer, i) && ZeroPages.runEnd(buffer, i, i + unit, true) == i + unit) {
                long end = i + unit;
                while (end + unit <= length
                        && ZeroPages.isZero(buffer, end)
                        && ZeroPages.runEnd(buffer, end, end + unit, true) == end + unit) {
                    end += unit;
                }
                file.punchHole(at + i, end - i);
                zeros += end - i;
                i = end - unit;
            } else {
                kept += unit;
            }
        }
    }
}
