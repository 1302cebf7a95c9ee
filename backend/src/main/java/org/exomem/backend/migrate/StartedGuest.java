package org.exomem.backend.migrate;

import org.exomem.backend.qmp.VmmException;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.migration.HandoverUncertainException;

/** Starts a guest whose state came from another VMM, where it must not run again. */
public final class StartedGuest {
    private StartedGuest() {}

    /**
     * Starts a guest that has arrived in a VMM (VMM-7).
     *
     * @throws VmmException if it does not run there, so that it may run on at its source
     * @throws HandoverUncertainException if it may run there
     */
    public static void start(QmpVmm vmm) throws VmmException, HandoverUncertainException {
        try {
            vmm.start();
        } catch (VmmException e) {
            if (e.isRefusal()) {
                throw e;
            }
            throw new HandoverUncertainException(
                    "exomem asked the VMM to start the guest, and it may have started (" + e.getMessage()
                            + "). Check the VMM: if the guest does not run and will not, it may continue at the"
                            + " source; never let both run",
                    e);
        }
    }
}
