package org.exomem.backend.vm;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.FreePages;
import org.exomem.mem.ResizeJob;
import org.exomem.pages.PageSubscription;

/**
 * A VM as its operator sees it. Callable from any thread; answers come on the VM's event loop. A future fails with
 * {@link NotActive} where a driver is needed and none is there.
 */
public interface VirtualMachine {
    String name();

    /** Where the front-end attaches, for people: to the balloon, or else to the memory devices. */
    String attachment();

    CompletableFuture<VmState> state();

    /**
     * Wants the VM to have {@code bytes} of memory outside the balloon, at least 1; more than it has empties the
     * balloon. Remembered while no front-end is connected.
     */
    CompletableFuture<Void> resize(long bytes);

    CompletableFuture<BalloonStatistics> statistics();

    /** Asks for statistics every so many seconds; 0 stops asking. */
    CompletableFuture<Void> statisticsInterval(int seconds);

    CompletableFuture<Void> hint(HintAction action);

    CompletableFuture<FreePages> freePages();

    /**
     * Begins to tell what the VM's devices learn of its pages, and first what is so now; the caller closes what it gets.
     *
     * @param capacity the most messages that wait, a power of two
     */
    CompletableFuture<PageSubscription> followPages(int capacity);

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
