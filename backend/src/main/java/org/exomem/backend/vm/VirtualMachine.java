package org.exomem.backend.vm;

import java.util.concurrent.CompletableFuture;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.FreePages;

/**
 * A VM as its operator sees it. Callable from any thread; answers come on the VM's event loop. A future fails with
 * {@link NotActive} where a driver is needed and none is there.
 */
public interface VirtualMachine {
    String name();

    /** Where the front-end attaches, for people. */
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
}
