package org.exomem.conform.strict.observers;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.exomem.conform.strict.observe.Observation;

/** All observations, and the reasons why the other requirements have none. */
public final class Observers {
    private static final List<Observation> ALL = Stream.of(
                    HeaderObservers.ALL,
                    FormObservers.ALL,
                    NegotiationObservers.ALL,
                    MemoryObservers.ALL,
                    SetUpObservers.ALL,
                    StateObservers.ALL,
                    DriverStatusObservers.ALL,
                    DriverFeatureObservers.ALL,
                    SplitRingObservers.ALL,
                    PackedRingObservers.ALL,
                    NotificationObservers.ALL,
                    BalloonObservers.ALL,
                    BalloonQueueObservers.ALL,
                    MemObservers.ALL)
            .flatMap(List::stream)
            .toList();

    private static final Map<String, String> UNWATCHED = union(List.of(
            HeaderObservers.UNWATCHED,
            FormObservers.UNWATCHED,
            NegotiationObservers.UNWATCHED,
            MemoryObservers.UNWATCHED,
            SetUpObservers.UNWATCHED,
            StateObservers.UNWATCHED,
            DriverStatusObservers.UNWATCHED,
            DriverFeatureObservers.UNWATCHED,
            SplitRingObservers.UNWATCHED,
            PackedRingObservers.UNWATCHED,
            NotificationObservers.UNWATCHED,
            BalloonObservers.UNWATCHED,
            BalloonQueueObservers.UNWATCHED,
            MemObservers.UNWATCHED));

    private Observers() {}

    public static List<Observation> all() {
        return ALL;
    }

    /** Observable requirements of front-ends and drivers that have no observation, and why. */
    public static Map<String, String> unwatched() {
        return UNWATCHED;
    }

    private static Map<String, String> union(List<Map<String, String>> parts) {
        Map<String, String> all = new TreeMap<>();
        parts.forEach(all::putAll);
        return Map.copyOf(all);
    }
}
