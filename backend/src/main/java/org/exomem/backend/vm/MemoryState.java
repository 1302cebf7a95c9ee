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
 * @param plan what never changes about it
 * @param requested what the guest is asked to come to
 * @param plugged what it has come to
 * @param usable the part of the region in which it may plug
 * @param job the last resize
 * @param guard how it is kept from being used, if that is wanted
 * @param patrol what was found of unplugged memory that is used
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
     * The guard so far.
     *
     * @param policy what becomes of whoever writes
     * @param on whether unplugged memory is guarded now
     * @param reason why not, for people; empty if it is
     * @param writes touches to write, in all
     * @param reads touches to read, in all
     */
    public record Guarding(Prevention policy, boolean on, Optional<String> reason, long writes, long reads) {}

    /**
     * The patrol so far.
     *
     * @param seconds between two rounds; 0 for no patrol
     * @param policy what is done about what is found
     * @param rounds how many were completed
     * @param lastNanos the time spent on the last one
     * @param bytes found in all of them
     * @param blocks in which they were found; one that is found again counts again
     */
    public record Patrols(int seconds, Violation policy, long rounds, long lastNanos, long bytes, long blocks) {}
}
