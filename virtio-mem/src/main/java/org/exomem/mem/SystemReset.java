package org.exomem.mem;

import java.util.concurrent.CompletableFuture;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;

/** A reset of the system under way: the host memory behind all blocks is given back, and then no block is plugged. */
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

    /** Goes on within the budget of this step; returns true when the host has everything back. */
    boolean goOn(GuestMemory memory, StepBudget budget) throws LinuxException {
        return work.goOn(memory, budget);
    }
}
