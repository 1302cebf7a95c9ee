package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.jspecify.annotations.Nullable;

/**
 * The host memory of unplugged blocks. It is emptied for a driver whenever something other than the guest may have filled
 * it. Data found in it after that was written by the guest (MEM-BLK-6, MEM-VIO-6). Used on the VM's event loop.
 *
 * <pre>
 *   MAYBE FILLED -- begin --> EMPTYING -- all is done --> EMPTIED
 *        ^                       |                           |
 *        +-- the host refuses ---+                           |
 *        +-- others may have filled it again ----------------+
 * </pre>
 */
final class UnpluggedMemory {
    private enum State {
        MAYBE_FILLED,
        EMPTYING,
        EMPTIED
    }

    private final KeptBlocks kept;
    private final BlockMap blocks;
    private final Patrol patrol;
    private final HostWork work;
    private State state = State.MAYBE_FILLED;
    /** While it is emptied: the runs of unplugged blocks before this block are done, or being emptied. */
    private long next;
    /** The host did not take memory back, and that was reported. */
    private boolean refused;

    UnpluggedMemory(KeptBlocks kept) {
        this.kept = kept;
        this.blocks = kept.map();
        this.work = new HostWork(kept.plan());
        this.patrol = new Patrol(kept.plan(), kept.map(), System::nanoTime);
    }

    /** True while only the guest can have filled it. */
    boolean isEmptied() {
        return state == State.EMPTIED;
    }

    /** True from {@link #begin} on until {@link #goOn} returns true. No block may change its state meanwhile. */
    boolean isEmptying() {
        return state == State.EMPTYING;
    }

    /** It may hold data that the guest did not write. */
    void maybeFilled() {
        state = State.MAYBE_FILLED;
    }

    /** All blocks were emptied for the present driver. */
    void allWasEmptied() {
        state = State.EMPTIED;
    }

    /** Begins to empty it for the present driver, if it is known which blocks are unplugged. */
    void begin() {
        state = kept.isKnown() ? State.EMPTYING : State.MAYBE_FILLED;
        next = 0;
        work.nothing();
    }

    /**
     * Continues to empty it as far as the budget of this step allows. A refusal of the host is reported once until it works
     * again.
     *
     * @return true when nothing more is to be done
     */
    boolean goOn(DeviceLink link, StepBudget budget) {
        if (state != State.EMPTYING) {
            return true;
        }
        try {
            if (!emptySome(link.memory(), budget)) {
                return false;
            }
            state = State.EMPTIED;
            refused = false;
        } catch (LinuxException e) {
            state = State.MAYBE_FILLED;
            // Each round of the patrol tries again, and reports a refusal only once.
            if (!refused) {
                refused = true;
                link.hostFault("unplugged memory could not be returned to the host: " + e.getMessage()
                        + "; exomem retries, and does not patrol it until that succeeds");
            }
        }
        return true;
    }

    private boolean emptySome(GuestMemory memory, StepBudget budget) throws LinuxException {
        while (work.goOn(memory, budget)) {
            long first = blocks.next(next, blocks.blocks(), false);
            if (first == blocks.blocks()) {
                return true;
            }
            next = blocks.next(first, blocks.blocks(), true);
            work.discard(first, next - first);
            budget.spend(StepBudget.RUN);
        }
        return false;
    }

    /** Begins a new round of the patrol. */
    void restartPatrol() {
        patrol.restart();
    }

    /** See {@link Patrol#slice}. */
    Patrol.@Nullable Round patrol(GuestMemory memory, boolean punch, long budget) throws LinuxException {
        return patrol.slice(memory, punch, budget);
    }
}
