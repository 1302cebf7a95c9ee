package org.exomem.mem;

import java.util.concurrent.CompletableFuture;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;

/** A system reset under way: the host memory of all blocks is given back, and then no block is plugged. */
final class SystemReset {
    private final HostWork work;
    private final CompletableFuture<Void> over = new CompletableFuture<>();

    SystemReset(MemoryRegionPlan plan) {
        work = new HostWork(plan);
        work.discard(0, plan.blocks());
    }

    /** Completes on the event loop when no block is plugged; with a {@link LinuxException} if the host refuses. */
    CompletableFuture<Void> over() {
        return over;
    }

    /** Continues within the budget of this step. Returns true when all memory was given back. */
    boolean goOn(GuestMemory memory, StepBudget budget) throws LinuxException {
        return work.goOn(memory, budget);
    }
}
