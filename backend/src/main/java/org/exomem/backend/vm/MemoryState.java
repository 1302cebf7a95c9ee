package org.exomem.backend.vm;

import java.util.Optional;
import org.exomem.backend.config.Prevention;
import org.exomem.backend.config.Violation;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.mem.ResizeJob;

/**
 * A memory device at one moment. Sizes in bytes.
 *
 * @param attachment where the VMM attaches, for people
 * @param connected whether a front-end is connected
 * @param plan the constant values of the device
 * @param requested the size that the guest is asked to plug
 * @param plugged the size that the guest has plugged
 * @param usable the part of the region in which the guest may plug
 * @param job the last resize
 * @param guard the state of the guard, if it is configured
 * @param patrol what the patrol has found of unplugged memory that is used
 */
public record MemoryState(
        String vm,
        String id,
        String attachment,
        boolean connected,
        MemoryRegionPlan plan,
        long requested,
        long plugged,
        long usable,
        Optional<ResizeJob.State> job,
        Optional<Guarding> guard,
        Patrols patrol) {
    /**
     * The state of the guard.
     *
     * @param policy the action on a write
     * @param on whether unplugged memory is guarded now
     * @param reason why it is not guarded, for people; empty if it is
     * @param writes total number of touches by writes
     * @param reads total number of touches by reads
     */
    public record Guarding(Prevention policy, boolean on, Optional<String> reason, long writes, long reads) {}

    /**
     * The state of the patrol.
     *
     * @param seconds the time between two rounds; 0 for no patrol
     * @param policy the action on what is found
     * @param rounds the number of completed rounds
     * @param lastNanos the time spent on the last round, in nanoseconds
     * @param bytes found in all rounds
     * @param blocks in which they were found; a block that is found again counts again
     */
    public record Patrols(int seconds, Violation policy, long rounds, long lastNanos, long bytes, long blocks) {}
}
