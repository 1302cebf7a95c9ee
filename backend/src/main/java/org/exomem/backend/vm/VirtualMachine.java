package org.exomem.backend.vm;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.exomem.backend.config.WritesChoice;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.BitmapRequest;
import org.exomem.balloon.FreePages;
import org.exomem.mem.ResizeJob;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageSubscription;

/**
 * A VM as its operator sees it. Callable from any thread; answers come on the VM's event loop. A future fails with
 * {@link NotActive} where a driver is needed and none is there.
 */
public interface VirtualMachine {
    /** The VM's name, unique in this process. */
    String name();

    /** Where the front-end attaches, for people: to the balloon, or else to the memory devices. */
    String attachment();

    /** The QMP socket of its VMM, if it was named. */
    Optional<Path> vmmQmp();

    /** How its migrations learn which pages the guest writes. */
    WritesChoice vmmWrites();

    /** The sockets on which a VMM meets the VM's devices, by the devices' names; one without a path is left out. */
    Map<String, Path> sockets();

    /** The VM and its devices as they are now. */
    CompletableFuture<VmState> state();

    /** The VM with all that is counted of it. Asks the guest nothing. */
    CompletableFuture<VmFigures> figures();

    /**
     * Runs a task on the VM's event loop when that comes to it, which may be never. For whoever measures how late it is.
     *
     * @throws java.util.concurrent.RejectedExecutionException if the VM is served no more
     */
    void whenLoopIsFree(Runnable task);

    /**
     * Begins to show the guest to a migration of that memory; the caller closes what it gets. Fails with {@link Refused} if the
     * memory is not what the front-end shares.
     */
    CompletableFuture<GuestView> show(MemoryImage image);

    /**
     * Wants the VM to have {@code bytes} of memory outside the balloon, at least 1; more than it has empties the
     * balloon. Remembered while no front-end is connected.
     */
    CompletableFuture<Void> resize(long bytes);

    /** The VM is to be no larger than that for a while, whatever is wanted of it otherwise; that is remembered. */
    CompletableFuture<Void> squeeze(long bytes);

    /** What is wanted of the VM otherwise counts again. */
    CompletableFuture<Void> endSqueeze();

    /** What the guest last said of its memory; asks it for new values, and does not wait for them. */
    CompletableFuture<BalloonStatistics> statistics();

    /**
     * Asks the guest for statistics; done when they have come. Fails with {@link NotActive} if no driver gives any, or if the
     * front-end leaves before it does. A guest may take any time: the caller sets a limit.
     */
    CompletableFuture<BalloonStatistics> nextStatistics();

    /** Asks for statistics every so many seconds; 0 stops asking. */
    CompletableFuture<Void> statisticsInterval(int seconds);

    /** Begins, stops or ends a session of free page hinting. */
    CompletableFuture<Void> hint(HintAction action);

    /** Asks the guest for free pages, as bitmaps; a request under way ends. Done when it is asked, not when it has answered. */
    CompletableFuture<Void> askForFreePages(BitmapRequest request);

    /** Wants no more of the answer, if one is under way. */
    CompletableFuture<Void> cancelFreePages();

    /** What has come of the last request for free pages. */
    CompletableFuture<BitmapAnswer> freePageBitmap();

    /**
     * The page descriptors that the guest's driver has told, each message an element; empty if there are none. Ask while the guest runs:
     * there are none while it is paused or its balloon unplugged. What was returned holds until the guest's machine is reset (FPB-DESC-12).
     */
    CompletableFuture<List<PageDescriptors>> pageDescriptors();

    /** What the guest has hinted and reported as free. */
    CompletableFuture<FreePages> freePages();

    /**
     * Begins to tell what the VM's devices learn of its pages, and first what is so now; the caller closes what it gets.
     *
     * @param capacity the most messages that wait, a power of two
     */
    CompletableFuture<PageSubscription> followPages(int capacity);

    /**
     * The memory that the VM's front-end shares; the caller closes what it gets. Fails with {@link NotActive} while none is
     * shared.
     */
    CompletableFuture<MemoryParts> memoryParts();

    /**
     * What the VM's devices know of its pages now, in one step of the VM's loop that takes a part of a millisecond.
     *
     * @param gibs the numbers of GiBs of guest addresses
     * @return of so many of them, from the first on, as the step had time for; of one at least
     */
    CompletableFuture<List<PageUse>> pageUse(List<Integer> gibs);

    /**
     * Connects to the socket of a VMM, and shares with it which pages are free, until it closes the connection
     * (spec/pages.md). Done when the VMM has been sent the bitmap.
     */
    CompletableFuture<Void> sharePages(Path socket);

    /**
     * Asks the guest to come to another size of plugged memory.
     *
     * @param device the memory device, which may be left out where there is only one
     * @param bytes a multiple of its block size, up to the size of its region
     */
    CompletableFuture<ResizeJob.State> resizeMemory(Optional<String> device, long bytes);

    /** Ends a job: the guest stays as large as it is. False if the VM has no such job. */
    CompletableFuture<Boolean> cancelJob(String id);

    /** The system was reset: a memory device, or all of them, have nothing plugged any more. */
    CompletableFuture<Void> resetMemory(Optional<String> device);

    /** What was asked for needs a running driver, or a feature it has not acknowledged. */
    final class NotActive extends RuntimeException {
        private static final long serialVersionUID = 1L;

        public NotActive(String message) {
            super(message);
        }
    }

    /** The VM's event loop is held up, or has ended. */
    final class NotAnswering extends RuntimeException {
        private static final long serialVersionUID = 1L;

        public NotAnswering(String vm) {
            super("VM \"" + vm + "\" does not answer: its memory's host file or front-end holds it up");
        }
    }

    /** The VM has no device of that name. */
    final class NotFound extends RuntimeException {
        private static final long serialVersionUID = 1L;

        public NotFound(String message) {
            super(message);
        }
    }

    /** What was asked for is not possible as things are. */
    final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;

        public Refused(String message) {
            super(message);
        }
    }
}
