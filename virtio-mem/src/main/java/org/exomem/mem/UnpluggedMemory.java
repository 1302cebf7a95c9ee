package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.jspecify.annotations.Nullable;

/**
 * The host memory behind unplugged blocks. It is emptied for a driver whenever somebody else may have filled it: what is
 * found in it after that is the guest's doing (MEM-BLK-6, MEM-VIO-6).
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
    /** While it is emptied: the run of unplugged blocks before this one is being emptied. */
    private long next;
    /** The host did not take it back, which was reported. */
    private boolean refused;

    UnpluggedMemory(KeptBlocks kept) {
        this.kept = kept;
        this.blocks = kept.map();
        this.work = new HostWork(kept.plan());
        this.patrol = new Patrol(kept.plan(), kept.map(), System::nanoTime);
    }

    /** True while what is in it is the guest's doing. */
    boolean isEmptied() {
        return state == State.EMPTIED;
    }

    /** True from {@link #begin} on until {@link #goOn} returns true. No block may change its state meanwhile. */
    boolean isEmptying() {
        return state == State.EMPTYING;
    }

    /** May hold data not written by the guest. */
    void maybeFilled() {
        state = State.MAYBE_FILLED;
    }

    /** All blocks were emptied for the driver that runs. */
    void allWasEmptied() {
        state = State.EMPTIED;
    }

    /** Begins to empty it for the driver that runs, if it is known which blocks are unplugged. */
    void begin() {
        state = kept.isKnown() ? State.EMPTYING : State.MAYBE_FILLED;
        next = 0;
        work.nothing();
    }

    /**
     * Goes on to empty it as far as the budget of this step allows. A refusal of the host is told once until it works again.
     *
     * @return true when there is nothing more to do
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
            // It is tried again at each round of the patrol: who was told once need not be told each time.
            if (!refused) {
                refused = true;
                link.hostFault("unplugged memory could not be given back: " + e.getMessage()
                        + "; it is tried again, and not patrolled until that works");
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

    /** A round of the patrol starts anew. */
    void restartPatrol() {
        patrol.restart();
    }

    /** See {@link Patrol#slice}. */
    Patrol.@Nullable Round patrol(GuestMemory memory, boolean punch, long budget) throws LinuxException {
        return patrol.slice(memory, punch, budget);
    }
}
