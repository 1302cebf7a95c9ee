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
 * The pages of a clone's region: the VMM has them for itself alone until a device of this process has to touch one, which the VMM then is made to
 * share (IMG-CLONE-6). Of pages that are discarded the VMM is made to give back what it has for itself (IMG-CLONE-7). On the VM's loop; the VMM is waited for
 * by threads that run as long as there is something to do.
 */
final class ClonePages implements LatePages {
    /** Before it is tried again where the VMM could not be had. */
    private static final Duration AGAIN = Duration.ofSeconds(1);

    /** Pages of 4096 bytes for which the VMM's main thread stands still at once. */
    private static final long MOST_AT_ONCE = 64;

    private final String vm;
    private final Path qmp;
    private final int frontEnd;
    private final long address;
    private final long fileOffset;
    private final SharedFile file;
    /** By their numbers in the file. Others may be shared too: another device of the VM, or another process, has them shared for itself. */
    private final PageSet here;

    private final EventLoop loop;
    private final VmmProcesses vmm;
    private final Runnable came;
    private final Consumer<String> failed;
    private final PageSet asked = new PageSet();
    private final PageSet discarded = new PageSet();
    private final Object attaching = new Object();
    private @Nullable PageSharing sharing;
    /** Pages that are asked for are asked for again where it fails. */
    private final Worker shares = new Worker(() -> {});

    /** Beside the other one: the VMM may wait for this before it does what that one wants. */
    private final Worker discards = new Worker(this::keepDiscarded);

    private boolean closed;
    private String reason = "";

    /** What the VMM is made to do, on a thread that may wait. */
    @FunctionalInterface
    private interface Job {
        Job NONE = with -> {};

        void run(PageSharing with) throws IOException;
    }

    /**
     * @param frontEnd the VMM's process
     * @param clone the region's file
     * @param came is run when pages have come
     * @param failed is told why pages can't be had, once for each reason; they are tried again
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
        // At once: later the VMM may be waiting for this end while the VMM is asked.
        shares.begin(Job.NONE);
    }

    @Override
    public boolean areHere(long offset, long length) {
        long first = Pages.floor(fileOffset + offset);
        long end = Pages.ceil(fileOffset + offset + length);
        if (closed || here.containsAll(first, end - first)) {
            return true;
        }
        // No more than is dealt with at once: whoever asks comes again.
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

    /** They are the template's again. */
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

    /** Does one job after the other, each on a thread that may wait. What is not said to be for that thread is for the loop. */
    private final class Worker {
        private final Runnable givenUp;
        private boolean working;

        /** @param givenUp is run when a job has failed */
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
                failed.accept("the memory of a clone can't be shared with its devices, which wait for it: " + why);
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

    /** On the thread of a worker. */
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

    /** Memory that is not given back stays with the host. */
    private void keepDiscarded() {
        if (discarded.count() > 0) {
            discarded.clear();
            came.run();
        }
    }

    /** The first of some pages. */
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
