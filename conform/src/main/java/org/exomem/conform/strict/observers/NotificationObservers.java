package org.exomem.conform.strict.observers;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.frontend.Features;

/** Notifications of split rings, in both directions. */
final class NotificationObservers {
    static final List<Observation> ALL = List.of(
            Observation.looking(
                    "ring.split.kick.4",
                    "Without EVENT_IDX the driver notifies if the flags of the used ring are 0",
                    (event, scene, tally) -> wanted(event, scene, tally, false)),
            Observation.looking(
                    "ring.split.kick.6",
                    "With EVENT_IDX the driver notifies when it passes avail_event",
                    (event, scene, tally) -> wanted(event, scene, tally, true)),
            Observation.looking(
                    "ring.split.kick.3",
                    "Without EVENT_IDX the driver does not notify while the flags of the used ring are 1",
                    (event, scene, tally) -> unwanted(event, scene, tally, false)),
            Observation.looking(
                    "ring.split.kick.7",
                    "With EVENT_IDX the driver does not notify unless it passes avail_event",
                    (event, scene, tally) -> unwanted(event, scene, tally, true)),
            Observation.of("ring.split.interrupt.5", "The driver tolerates a spurious call", GoesOn::new));

    static final Map<String, String> UNWATCHED = Map.of(
            "ring.split.kick.2",
                    "Without EVENT_IDX there is no avail_event: the device would have to write past the used ring.",
            "ring.split.kick.5",
                    "With EVENT_IDX a device must leave these flags 0; the strict device would have to break a rule.");

    private NotificationObservers() {}

    private static boolean applies(Scene scene, boolean eventIndex) {
        return !scene.has(Features.RING_PACKED) && scene.has(Features.EVENT_IDX) == eventIndex;
    }

    private static void wanted(Event event, Scene scene, Tally tally, boolean eventIndex) {
        if (!applies(scene, eventIndex)) {
            return;
        }
        switch (event) {
            case Event.Kicked(Ring ring, boolean asked, int found) when asked && found > 0 -> tally.kept();
            case Event.NotKicked(Ring ring) ->
                tally.broken(ring + " has new entries but was not kicked for 500 ms: "
                        + ring.queue().orElseThrow().state());
            default -> {}
        }
    }

    private static void unwanted(Event event, Scene scene, Tally tally, boolean eventIndex) {
        if (!applies(scene, eventIndex)) {
            return;
        }
        switch (event) {
            case Event.Kicked(Ring ring, boolean asked, int found)
            when !asked ->
                tally.broken(ring + " was kicked for " + found + " chains while the device requested no kicks");
            case Event.Quiet(Ring ring) -> tally.kept();
            default -> {}
        }
    }

    /** The driver must continue after a call without a reason. */
    private static final class GoesOn implements Observer {
        private static final Duration LIMIT = Duration.ofSeconds(15);
        private long since;

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            switch (event) {
                case Event.CalledForNothing(Ring ring) -> since = System.nanoTime();
                case Event.Available(Ring ring, var chain)
                when since != 0 -> {
                    since = 0;
                    tally.kept();
                }
                case Event.Tick(long now)
                when since != 0 && scene.isOver(since, now, LIMIT) -> {
                    since = 0;
                    tally.broken("the driver sent nothing for " + LIMIT.toSeconds() + " s after the call");
                }
                case Event.RingStopping(Ring ring) -> since = 0;
                default -> {}
            }
        }
    }
}
