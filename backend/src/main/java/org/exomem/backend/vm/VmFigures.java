package org.exomem.backend.vm;

import java.util.Map;
import java.util.Optional;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.FreePages;

/**
 * A VM with all its counters, at one moment. No request is sent to the guest for them.
 *
 * @param state the VM and its devices
 * @param balloon the counters of its balloon, if it has one
 * @param brokenQueues how many queues of each device are stopped because their driver broke a rule, by device name
 */
public record VmFigures(VmState state, Optional<OfBalloon> balloon, Map<String, Integer> brokenQueues) {
    public VmFigures {
        brokenQueues = Map.copyOf(brokenQueues);
    }

    /**
     * @param statistics the last statistics of the guest's memory
     * @param freePages of hinting and reporting, and what was given back to the host
     * @param bitmap the answer to the last request for free pages, as far as it has arrived
     */
    public record OfBalloon(BalloonStatistics statistics, FreePages freePages, BitmapAnswer bitmap) {}
}
