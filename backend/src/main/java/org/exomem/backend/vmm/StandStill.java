package org.exomem.backend.vmm;

import java.io.IOException;
import org.exomem.backend.qmp.VmmException;

/**
 * Has a guest stand still while something is done to its memory, so that none of its devices has a write to it under way (IMG-CLONE-11). For one
 * thread at a time.
 */
final class StandStill {
    /** It was stopped by this, and is not known to run again. */
    private boolean owed;

    /** What is done meanwhile. */
    @FunctionalInterface
    interface Action {
        void run() throws IOException;
    }

    /**
     * Does something while the guest stands still. One that ran runs on afterwards, whatever fails; if not even that can be had, the next call tries it
     * again. A guest that stands still already is left so.
     *
     * @throws VmmException if the VMM moves or saves its guest by itself, which would end with the guest stopped; nothing was done
     * @throws IOException if the guest can't be stopped, the action fails, or the guest may not run on
     */
    void during(QmpVmm vmm, Action action) throws IOException {
        if (vmm.isTransferring()) {
            throw new VmmException("the VMM on " + vmm.socket() + " is just saving or moving its guest");
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

    /** True if the guest was stopped by this, and is not known to run again. */
    boolean isOwed() {
        return owed;
    }

    private void goOn(QmpVmm vmm) throws IOException {
        vmm.runOn();
        owed = false;
    }
}
