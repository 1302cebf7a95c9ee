package org.exomem.migration.pagesource;

import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.WrittenPages;
import org.exomem.linux.process.MappedFiles.Area;
import org.exomem.pages.Pages;

/**
 * Estimates from a sample of its memory how many new pages a process writes, to decide whether it can be watched without
 * being slowed too much (MIG-WATCH-8). Each protected page costs its next writer a page fault, and that can't be undone:
 * when a range is unregistered, the kernel leaves all of its pages read-only once. So only the sample is registered, while
 * it is examined.
 */
final class WriteRate {
    /** The memory of one page table. */
    private static final long BLOCK = 2L << 20;

    /** The sample has about this number of blocks at most, and at most a 64th of memory. */
    private static final int BLOCKS = 64;

    private static final int PART = 64;
    /** Fewer writes may be chance. */
    private static final int LEAST_HITS = 16;
    /** Enough to see that a guest is idle. */
    private static final long SHORT_NANOS = 10_000_000;
    /** A guest that writes the same pages again and again writes few new ones after this time. */
    private static final long LONG_NANOS = 25_000_000;

    private static final int LONG_LOOKS = 4;

    private final WrittenPages written;
    private final List<Area> sample;
    /** The ratio of all memory to the sample. */
    private final double parts;

    private final long samplePages;
    /** Pages of the sample that were written, at the last look. */
    private long found;

    private WriteRate(WrittenPages written, List<Area> pieces) {
        this.written = written;
        long all = pieces.stream().mapToLong(Area::length).sum();
        this.sample = sample(pieces, all);
        long sampled = sample.stream().mapToLong(Area::length).sum();
        this.samplePages = Pages.floor(sampled);
        this.parts = (double) all / Math.max(1, sampled);
    }

    /** Blocks at equal distances. */
    private static List<Area> sample(List<Area> pieces, long all) {
        List<Area> blocks = new ArrayList<>();
        long distance = Math.max(PART * BLOCK, all / BLOCKS & -BLOCK);
        for (Area piece : pieces) {
            // Aligned, so that no huge page is split.
            for (long at = piece.from() + BLOCK - 1 & -BLOCK; at <= piece.to() - BLOCK; at += distance) {
                blocks.add(piece.part(at, BLOCK));
            }
        }
        return blocks;
    }

    /**
     * Examines a process for 10 ms, and up to four times for 25 ms more if it writes much.
     *
     * @param userfaultfd made in the process; none of the pieces is registered with it before and after, unless this fails
     * @param written of the process
     * @param pieces of the process that can be registered
     * @param perSecond pages
     * @return true if it constantly writes more new pages than that
     * @throws IOException if the process can't be examined
     */
    static boolean exceeds(Userfaultfd userfaultfd, WrittenPages written, List<Area> pieces, long perSecond)
            throws IOException {
        WriteRate rate = new WriteRate(written, pieces);
        for (Area block : rate.sample) {
            userfaultfd.register(block.from(), block.length(), EnumSet.of(Userfaultfd.Mode.WRITE_PROTECT));
        }
        rate.protect();
        boolean exceeds = rate.isAbove(perSecond, SHORT_NANOS);
        for (int i = 0; exceeds && i < LONG_LOOKS && !rate.wasMostlyWritten(); i++) {
            exceeds = rate.isAbove(perSecond, LONG_NANOS);
        }
        for (Area block : rate.sample) {
            userfaultfd.unregister(block.from(), block.length());
        }
        return exceeds;
    }

    /** Measures from the last look on: pages of the sample that were written before do not count. */
    private boolean isAbove(long perSecond, long nanos) throws IOException {
        long before = found;
        long start = System.nanoTime();
        for (long left = nanos; left > 0; left = start + nanos - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        found = look();
        long hits = found - before;
        return hits >= LEAST_HITS && hits * parts > perSecond * seconds;
    }

    /** True when a guest with constant behaviour finds few pages that it has not written yet. */
    private boolean wasMostlyWritten() {
        return found > samplePages / 2;
    }

    private void protect() throws IOException {
        for (Area block : sample) {
            written.fetch(block.from(), block.to(), (from, to) -> {});
        }
    }

    private long look() throws IOException {
        long[] pages = {0};
        for (Area block : sample) {
            written.look(block.from(), block.to(), (from, to) -> pages[0] += Pages.floor(to - from));
        }
        return pages[0];
    }
}
