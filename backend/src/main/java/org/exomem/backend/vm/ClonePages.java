package org.exomem.backend.vm;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.SharedInPlace;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.memory.LatePages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;

/**
 * The pages of a clone's region. The VMM has them private until a device of this process has to access one. Then the VMM is
 * made to share it (IMG-CLONE-6). For discarded pages the VMM is made to free its private copies (IMG-CLONE-7). Used on the
 * VM's loop. Threads that run only while there is work wait for the VMM.
 */
final class ClonePages implements LatePages {
    /** The pause after a failure of the VMM. */
    private static final Duration AGAIN = Duration.ofSeconds(1);

    /** The most pages of 4096 bytes that one request shares. The VMM's main thread is stopped meanwhile. */
    private static final long MOST_AT_ONCE = 64;

    private final String vm;
    private final Path qmp;
    private final int frontEnd;
    private final long address;
    private final long fileOffset;
    private final SharedFile file;
    /**
     * The pages that are known to be shared, by their page numbers in the file. Other pages may be shared too, for another
     * device of the VM or another process.
     */
    private final PageSet here;

    private final EventLoop loop;
    private final VmmProcesses vmm;
    private final Runnable came;
    private final Consumer<String> failed;
    private final PageSet asked = new PageSet();
    private final PageSet discarded = new PageSet();
    private final Object attaching = new Object();
    private @Nullable PageSharing sharing;
    /** If it fails, the requested pages are requested again. */
    private final Worker shares = new Worker(() -> {});

    /** In parallel to {@link #shares}: the VMM may wait for this before it obeys the other. */
    private final Worker discards = new Worker(this::keepDiscarded);

    private boolean closed;
    private String reason = "";

    /** A request to the VMM, on a thread that may wait. */
    @FunctionalInterface
    private interface Job {
        Job NONE = with -> {};

        void run(PageSharing with) throws IOException;
    }

    /**
     * @param frontEnd the VMM's process id
     * @param clone the region's file
     * @param came runs on the loop when pages have become available
     * @param failed receives on the loop why pages can't be shared, once for each reason; the attempts go on
     * @throws LinuxException if the file's descriptor can't be duplicated
     */
    ClonePages(
            String vm,
            Path qmp,
            int frontEnd,
            MemoryRegion region,
            CloneOwnFile clone,
            EventLoop loop,
            VmmProcesses vmm,
            Runnable came,
            Consumer<String> failed)
            throws LinuxException {
        this.vm = vm;
        this.qmp = qmp;
        this.frontEnd = frontEnd;
        this.address = clone.address();
        this.fileOffset = region.fileOffset();
        this.file = new SharedFile(region.file().fd().duplicate());
        this.here = clone.shared();
        this.loop = loop;
        this.vmm = vmm;
        this.came = came;
        this.failed = failed;
        // Attach now: later the VMM may wait for this process while this process waits for the VMM.
        shares.begin(Job.NONE);
    }

    @Override
    public boolean areHere(long offset, long length) {
        long first = Pages.floor(fileOffset + offset);
        long end = Pages.ceil(fileOffset + offset + length);
        if (closed || here.containsAll(first, end - first)) {
            return true;
        }
        // Only as many as one request takes: the caller asks again.
        for (long page = here.next(first, end, false);
                page < end && asked.count() < MOST_AT_ONCE;
                page = here.next(page + 1, end, false)) {
            asked.add(page);
        }
        work();
        return false;
    }

    @Override
    public void discard(long inFile, long length) {
        discarded.addAll(Pages.floor(inFile), Pages.floor(length));
        work();
    }

    @Override
    public boolean isDiscarding() {
        return discarded.count() > 0;
    }

    /** Discarded pages have the template's content again. */
    @Override
    public boolean discardsToZeros() {
        return false;
    }

    private void work() {
        if (closed) {
            return;
        }
        if (!shares.working && asked.count() > 0) {
            List<SharedInPlace.Range> ranges = ranges(asked, MOST_AT_ONCE);
            shares.begin(with -> {
                with.share(ranges);
                loop.execute(() -> shared(ranges));
            });
        }
        if (!discards.working && discarded.count() > 0) {
            List<SharedInPlace.Range> ranges = ranges(discarded, Long.MAX_VALUE);
            discards.begin(with -> {
                with.giveBack(ranges);
                loop.execute(() -> remove(discarded, ranges));
            });
        }
    }

    /** Runs one job after the other, each on a thread that may wait. Used on the loop, except where stated. */
    private final class Worker {
        private final Runnable givenUp;
        private boolean working;

        /** @param givenUp runs on the loop when a job has failed */
        Worker(Runnable givenUp) {
            this.givenUp = givenUp;
        }

        void begin(Job job) {
            working = true;
            Thread.ofPlatform().daemon().name("clone-" + vm).start(() -> {
                try {
                    job.run(attached());
                    loop.execute(this::worked);
                } catch (IOException | RuntimeException e) {
                    loop.execute(() -> failed(String.valueOf(e.getMessage())));
                }
            });
        }

        private void worked() {
            working = false;
            reason = "";
            if (closed) {
                releaseIfIdle();
            } else {
                came.run();
                work();
            }
        }

        private void failed(String why) {
            if (!closed && !why.equals(reason)) {
                reason = why;
                failed.accept("the memory of a clone can't be shared with its devices, and they wait for it: " + why);
            }
            givenUp.run();
            loop.schedule(AGAIN, () -> {
                working = false;
                if (closed) {
                    releaseIfIdle();
                } else {
                    work();
                }
            });
        }
    }

    /** On a worker's thread. */
    private PageSharing attached() throws IOException {
        synchronized (attaching) {
            PageSharing current = sharing;
            if (current == null) {
                current = vmm.share(qmp, frontEnd, file);
                sharing = current;
            }
            return current;
        }
    }

    /** Gives up: the host keeps the memory of these pages. */
    private void keepDiscarded() {
        if (discarded.count() > 0) {
            discarded.clear();
            came.run();
        }
    }

    /** Returns the first pages of a set as ranges, {@code most} pages at most. */
    private List<SharedInPlace.Range> ranges(PageSet of, long most) {
        List<SharedInPlace.Range> ranges = new ArrayList<>();
        long rest = most;
        for (long page = of.next(0, of.end(), true); page < of.end() && rest > 0; ) {
            long end = of.next(page, Math.min(of.end() - page, rest) + page, false);
            ranges.add(
                    new SharedInPlace.Range(address + Pages.bytes(page), Pages.bytes(page), Pages.bytes(end - page)));
            rest -= end - page;
            page = of.next(end, of.end(), true);
        }
        return ranges;
    }

    private void shared(List<SharedInPlace.Range> ranges) {
        for (SharedInPlace.Range range : ranges) {
            here.addAll(Pages.floor(range.offset()), Pages.floor(range.length()));
        }
        remove(asked, ranges);
    }

    private static void remove(PageSet from, List<SharedInPlace.Range> ranges) {
        for (SharedInPlace.Range range : ranges) {
            from.removeAll(Pages.floor(range.offset()), Pages.floor(range.length()));
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            discarded.clear();
            releaseIfIdle();
        }
    }

    private void releaseIfIdle() {
        if (shares.working || discards.working) {
            return;
        }
        synchronized (attaching) {
            PageSharing current = sharing;
            sharing = null;
            if (current != null) {
                current.close();
            }
        }
        file.close();
    }
}
