package org.exomem.migration.pagesource;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Userfaultfd;
import org.exomem.linux.WrittenPages;
import org.exomem.linux.process.MappedFiles.Area;

/**
 * Takes the protection off blocks that a guest writes much, while it writes so many pages that the faults slow it down (MIG-WATCH-8): one
 * fault for each page that it writes costs more than a comparison of all pages around it. Looks again and again, on a thread of its
 * own. A write is never missed by it: a page without protection counts as written.
 */
final class BusyBlocks implements AutoCloseable {
    /** A page table's worth of pages. */
    static final long BLOCK = 2L << 20;

    private static final long PAGE = 4096;
    private static final int BLOCK_PAGES = (int) (BLOCK / PAGE);

    /**
     * When a guest is let write freely, and where.
     *
     * @param perSecond pages that it writes newly: more are too many faults
     * @param pages of a block that were written: so many make all of it count as written
     * @param intervalNanos between two looks, at least
     */
    record Limits(long perSecond, int pages, long intervalNanos) {
        /** At some 10 us for a fault, a tenth of the time of one processor; a part of a block that is soon reached at that rate; 20 ms. */
        static final Limits REAL = new Limits(10_000, BLOCK_PAGES / 32, 20_000_000);
    }

    /** Looking takes this part of one processor's time at most. */
    private static final int COST_PART = 10;

    private static final double SECOND = 1e9;

    private final Userfaultfd userfaultfd;
    private final WrittenPages written;
    private final Limits limits;
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread thread;

    private volatile List<Area> pieces = List.of();
    private long writtenPages;
    /** What was written before was told meanwhile, or unprotected: how much is new is not known. */
    private boolean afresh = true;

    private int[] counts = {};

    private BusyBlocks(int process, Userfaultfd userfaultfd, WrittenPages written, Limits limits) {
        this.userfaultfd = userfaultfd;
        this.written = written;
        this.limits = limits;
        this.thread =
                Thread.ofPlatform().daemon().name("busy-blocks-" + process).unstarted(this::run);
    }

    /**
     * Begins to look.
     *
     * @param userfaultfd by which the process is watched; stays the caller's
     */
    static BusyBlocks begin(int process, Userfaultfd userfaultfd, Limits limits) throws LinuxException {
        BusyBlocks blocks = new BusyBlocks(process, userfaultfd, WrittenPages.of(process), limits);
        blocks.thread.start();
        return blocks;
    }

    /** What is watched from now on. For any thread. */
    void watch(List<Area> now) {
        pieces = List.copyOf(now);
    }

    private void run() {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long last = System.nanoTime();
        long pause = limits.intervalNanos();
        while (!isClosedWithin(pause)) {
            long start = System.nanoTime();
            long cost = threads.getCurrentThreadCpuTime();
            look(start - last);
            last = start;
            pause = Math.max(limits.intervalNanos(), COST_PART * (threads.getCurrentThreadCpuTime() - cost));
        }
    }

    private boolean isClosedWithin(long nanos) {
        try {
            return closed.await(nanos, TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            return true;
        }
    }

    /** @param nanos since the last look */
    private void look(long nanos) {
        List<Area> now = pieces;
        int blocks = 0;
        for (Area piece : now) {
            blocks += blocks(piece);
        }
        counts = new int[blocks];
        try {
            long found = 0;
            int first = 0;
            for (Area piece : now) {
                found += count(piece, first);
                first += blocks(piece);
            }
            boolean tooMany = !afresh && (found - writtenPages) * SECOND > (double) limits.perSecond() * nanos;
            System.err.println(
                    "BB found " + found + " before " + writtenPages + " ms " + nanos / 1000000 + " many " + tooMany);
            try {
                java.nio.file.Files.writeString(
                        Path.of("/tmp/bb.txt"),
                        "found " + found + " before " + writtenPages + " ms " + nanos / 1000000 + " many " + tooMany
                                + "\n",
                        java.nio.file.StandardOpenOption.CREATE,
                        java.nio.file.StandardOpenOption.APPEND);
            } catch (Exception e) {
            }
            afresh = found < writtenPages || tooMany;
            writtenPages = found;
            if (tooMany) {
                unprotectBusy(now);
            }
        } catch (LinuxException e) {
            // Mapped anew meanwhile, or gone: whoever watches finds that out at the next sync.
            try {
                java.nio.file.Files.writeString(
                        Path.of("/tmp/bb.txt"),
                        e + "\n",
                        java.nio.file.StandardOpenOption.CREATE,
                        java.nio.file.StandardOpenOption.APPEND);
            } catch (Exception f) {
            }
            afresh = true;
        }
    }

    private static int blocks(Area piece) {
        return Math.toIntExact((piece.to() - 1) / BLOCK - piece.from() / BLOCK + 1);
    }

    /** Counts the written pages of each block; returns how many they are together. */
    private long count(Area piece, int first) throws LinuxException {
        long[] pages = {0};
        long base = piece.from() / BLOCK;
        written.look(piece.from(), piece.to(), (from, to) -> {
            for (long at = from; at < to; ) {
                long end = Math.min(to, (at / BLOCK + 1) * BLOCK);
                counts[first + (int) (at / BLOCK - base)] += (int) ((end - at) / PAGE);
                at = end;
            }
            pages[0] += (to - from) / PAGE;
        });
        return pages[0];
    }

    private void unprotectBusy(List<Area> now) throws LinuxException {
        int block = 0;
        for (Area piece : now) {
            for (long at = piece.from() & -BLOCK; at < piece.to(); at += BLOCK) {
                int count = counts[block++];
                if (count >= limits.pages() && count < BLOCK_PAGES) {
                    long from = Math.max(at, piece.from());
                    userfaultfd.unprotect(from, Math.min(at + BLOCK, piece.to()) - from);
                }
            }
        }
    }

    @Override
    public void close() {
        closed.countDown();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        written.close();
    }
}
