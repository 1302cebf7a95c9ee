package org.exomem.backend.vm;

import java.util.Map;
import java.util.Optional;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.FreePages;

/**
 * A VM with all that is counted of it, at one moment. The guest is asked for nothing.
 *
 * @param state the VM and its devices
 * @param balloon what is counted of its balloon, if it has one
 * @param brokenQueues for each device, by its name, how many of its queues stand still because their driver broke a rule
 */
public record VmFigures(VmState state, Optional<OfBalloon> balloon, Map<String, Integer> brokenQueues) {
    public VmFigures {
        brokenQueues = Map.copyOf(brokenQueues);
    }

    /**
     * @param statistics what the guest said last of its memory
     * @param freePages of hinting and reporting, and what was given back to the host
     * @param bitmap what has come of the last request for free pages
     */
    public record OfBalloon(BalloonStatistics statistics, FreePages freePages, BitmapAnswer bitmap) {}
}
