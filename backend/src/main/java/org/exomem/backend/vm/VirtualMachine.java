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
 * A VM as its operator sees it. Any thread may call it. Futures complete on the VM's event loop. A future fails with {@link
 * NotActive} if the request needs a driver and there is none.
 */
public interface VirtualMachine {
    /** The VM's name, unique in this process. */
    String name();

    /** Where the front-end attaches, for people: to the balloon, or else to the memory devices. */
    String attachment();

    /** The QMP socket of its VMM, if it is configured. */
    Optional<Path> vmmQmp();

    /** How its migrations find the pages that the guest writes. */
    WritesChoice vmmWrites();

    /** The sockets of the VM's devices, by device name. A device without a path is left out. */
    Map<String, Path> sockets();

    /** The present state of the VM and its devices. */
    CompletableFuture<VmState> state();

    /** The VM with all its counters. Sends no request to the guest. */
    CompletableFuture<VmFigures> figures();

    /**
     * Runs a task on the VM's event loop when it gets to it, which may be never. Used to measure the delay of the loop.
     *
     * @throws java.util.concurrent.RejectedExecutionException if the VM is no longer served
     */
    void whenLoopIsFree(Runnable task);

    /**
     * Begins to show the guest to a migration of that memory. The caller closes the result. Fails with {@link Refused} if
     * the memory is not what the front-end shares, or is still arriving.
     */
    CompletableFuture<GuestView> show(MemoryImage image);

    /**
     * Requests that the VM has {@code bytes} of memory outside the balloon, at least 1. A size above its memory empties the
     * balloon. Remembered while no front-end is connected.
     */
    CompletableFuture<Void> resize(long bytes);

    /**
     * Limits the VM to {@code bytes} until {@link #endSqueeze}, whatever size was requested otherwise. That request is
     * remembered.
     */
    CompletableFuture<Void> squeeze(long bytes);

    /** Ends {@link #squeeze}: the size that was requested otherwise counts again. */
    CompletableFuture<Void> endSqueeze();

    /** Returns the last statistics of the guest's memory. Requests new values, and does not wait for them. */
    CompletableFuture<BalloonStatistics> statistics();

    /**
     * Requests statistics from the guest, and completes when they have arrived. Fails with {@link NotActive} if no driver
     * gives statistics, or the front-end leaves before that. A guest may take any time: the caller sets a limit.
     */
    CompletableFuture<BalloonStatistics> nextStatistics();

    /** Requests statistics at an interval in seconds; 0 stops that. */
    CompletableFuture<Void> statisticsInterval(int seconds);

    /** Begins, stops or ends a session of free page hinting. */
    CompletableFuture<Void> hint(HintAction action);

    /**
     * Requests bitmaps of the guest's free pages. A request that is under way ends. Completes when the request is sent, not
     * when it is answered.
     */
    CompletableFuture<Void> askForFreePages(BitmapRequest request);

    /** Cancels a request for free pages, if one is under way. */
    CompletableFuture<Void> cancelFreePages();

    /** The answer to the last request for free pages, as far as it has arrived. */
    CompletableFuture<BitmapAnswer> freePageBitmap();

    /**
     * The page descriptors that the guest's driver has reported, each message an element; empty if there are none. Ask while
     * the guest runs: there are none while it is paused or its balloon is unplugged. The result holds until the guest's
     * machine is reset (FPB-DESC-12).
     */
    CompletableFuture<List<PageDescriptors>> pageDescriptors();

    /** The pages that the guest has hinted and reported as free. */
    CompletableFuture<FreePages> freePages();

    /**
     * Subscribes to what the VM's devices learn of its pages, beginning with the present state. The caller closes the
     * result.
     *
     * @param capacity the most messages that wait, a power of two
     */
    CompletableFuture<PageSubscription> followPages(int capacity);

    /**
     * The memory that the VM's front-end shares. The caller closes the result. Fails with {@link NotActive} while none is
     * shared.
     */
    CompletableFuture<MemoryParts> memoryParts();

    /**
     * The present knowledge of the VM's devices about its pages, from one step of the VM's loop of about 0.3 ms.
     *
     * @param gibs the numbers of GiBs of guest addresses
     * @return for the first of them, as many as the step had time for, at least one
     */
    CompletableFuture<List<PageUse>> pageUse(List<Integer> gibs);

    /**
     * Connects to the socket of a VMM, and shares with it which pages are free, until the VMM closes the connection
     * (spec/pages.md). Completes when the bitmap was sent to the VMM.
     */
    CompletableFuture<Void> sharePages(Path socket);

    /**
     * Asks the guest to change the size of plugged memory.
     *
     * @param device the id of the memory device; may be empty if there is only one
     * @param bytes a multiple of the device's block size, up to the size of its region
     */
    CompletableFuture<ResizeJob.State> resizeMemory(Optional<String> device, long bytes);

    /** Cancels a job: the guest keeps its present size. False if the VM has no such job. */
    CompletableFuture<Boolean> cancelJob(String id);

    /** Tells a memory device, or all of them, that the system was reset: all blocks are unplugged. */
    CompletableFuture<Void> resetMemory(Optional<String> device);

    /** The request needs a running driver, or a feature that the driver has not acknowledged. */
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
            super("VM \"" + vm + "\" does not respond: its memory file or its VMM blocks it");
        }
    }

    /** There is no VM or device of that name. */
    final class NotFound extends RuntimeException {
        private static final long serialVersionUID = 1L;

        public NotFound(String message) {
            super(message);
        }
    }

    /** The request is not possible in the present state. */
    final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;

        public Refused(String message) {
            super(message);
        }
    }
}
