package org.exomem.backend.vmm;

import java.io.IOException;
import org.exomem.backend.qmp.VmmException;

/**
 * Stops a guest during a change to its memory, so that none of its devices has a write under way (IMG-CLONE-11). For one
 * thread at a time.
 */
final class StandStill {
    /** True if this has stopped the guest, and the guest is not known to run again. */
    private boolean owed;

    /** The change to the guest's memory. */
    @FunctionalInterface
    interface Action {
        void run() throws IOException;
    }

    /**
     * Runs the action while the guest is stopped. A guest that ran is resumed afterwards, even after a failure. If that
     * fails too, the next call tries again. A guest that was stopped before stays stopped.
     *
     * @throws VmmException if the VMM is moving or saving its guest by itself, after which the guest would stay stopped;
     *     nothing was done
     * @throws IOException if the guest can't be stopped, the action fails, or the guest may not run again
     */
    void during(QmpVmm vmm, Action action) throws IOException {
        if (vmm.isTransferring()) {
            throw new VmmException("the VMM on " + vmm.socket() + " is currently saving or migrating its guest");
        }
        boolean running = owed || vmm.isRunning();
        if (!running) {
            action.run();
            return;
        }
        owed = true;
        try {
            vmm.pause();
            action.run();
        } catch (IOException | RuntimeException e) {
            try {
                goOn(vmm);
            } catch (IOException more) {
                e.addSuppressed(more);
            }
            throw e;
        }
        goOn(vmm);
    }

    /** True if this has stopped the guest, and the guest is not known to run again. */
    boolean isOwed() {
        return owed;
    }

    private void goOn(QmpVmm vmm) throws IOException {
        vmm.runOn();
        owed = false;
    }
}
