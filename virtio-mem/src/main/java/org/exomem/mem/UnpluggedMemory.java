package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.memory.GuestMemory;
import org.jspecify.annotations.Nullable;

/**
 * The host memory behind unplugged blocks. It is emptied for a driver whenever somebody else may have filled it: what is found
 * in it after that is the guest's doing.
 */
final class UnpluggedMemory {
    private final KeptBlocks kept;
    private final BlockChanges changes;
    private final Patrol patrol;
    private boolean emptied;
    /** The host did not take it back, and its operator knows. */
    private boolean refused;

    UnpluggedMemory(KeptBlocks kept, BlockChanges changes) {
        this.kept = kept;
        this.changes = changes;
        this.patrol = new Patrol(kept.plan(), kept.map(), System::nanoTime);
    }

    /** True while what is in it is the guest's doing. */
    boolean isEmptied() {
        return emptied;
    }

    /** Whatever is in it may be anybody's. */
    void maybeFilled() {
        emptied = false;
    }

    /** All blocks were emptied for the driver that runs. */
    void allWasEmptied() {
        emptied = true;
    }

    /** Empties it for the driver that runs, if it is known which blocks are unplugged. */
    void empty(DeviceLink link) {
        emptied = false;
        if (!kept.isKnown()) {
            return;
        }
        try {
            changes.discardUnplugged(link.memory());
            emptied = true;
            refused = false;
        } catch (LinuxException e) {
            // It is tried again at each round of the patrol: who was told once need not be told each time.
            if (!refused) {
                refused = true;
                link.hostFault("unplugged memory could not be given back: " + e.getMessage()
                        + "; it is tried again, and not patrolled until that works");
            }
        }
    }

    /** A round of the patrol starts anew. */
    void restartPatrol() {
        patrol.restart();
    }

    /** See {@link Patrol#slice}. */
    Patrol.@Nullable Round patrol(GuestMemory memory, boolean punch, long budget) throws LinuxException {
        return patrol.slice(memory, punch, budget);
    }
}
