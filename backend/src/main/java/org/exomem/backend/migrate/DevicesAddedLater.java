package org.exomem.backend.migrate;

import java.io.IOException;
import java.util.function.Consumer;
import org.exomem.backend.vmm.DirectWrites;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.Errand;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/**
 * Finds a device or block node that was added after a watch began, and that writes memory in a way that the watch does not
 * see. From then on every page counts as written (MIG-WATCH-2). For one thread.
 */
final class DevicesAddedLater implements DirtySource {
    private final QmpVmm vmm;
    private final DirectWrites before;
    private final Consumer<String> note;
    private boolean found;
    private @Nullable Errand<DirectWrites> asked;

    /**
     * @param before the VMM's direct writes when the watch began
     * @param note receives one message for people
     */
    DevicesAddedLater(QmpVmm vmm, DirectWrites before, Consumer<String> note) {
        this.vmm = vmm;
        this.before = before;
        this.note = note;
    }

    /** Asks in the background: no other thread talks to the VMM during a sync. */
    @Override
    public void beginSync() {
        if (!found && asked == null) {
            asked = Errand.begin("devices", vmm::directWrites);
        }
    }

    @Override
    public void sync(PageBits into) {
        Errand<DirectWrites> begun = asked;
        asked = null;
        if (!found) {
            try {
                DirectWrites now = begun == null ? vmm.directWrites() : begun.result();
                found = now.pinning().isPresent() || now.early() && !before.early();
                if (found) {
                    note.accept(
                            "a device was added to the VMM that writes memory untracked, so all memory is compared");
                }
            } catch (IOException e) {
                found = true;
                note.accept("the VMM no longer reports its devices, so all memory is compared: " + e.getMessage());
            }
        }
        if (found) {
            into.addAll();
        }
    }
}
