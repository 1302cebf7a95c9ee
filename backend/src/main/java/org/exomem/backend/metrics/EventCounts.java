package org.exomem.backend.metrics;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.exomem.backend.migrate.Status;
import org.exomem.backend.vm.VmEvent;
import org.exomem.vhostuser.backend.FaultKind;

/** Counts events that are counted nowhere else. Safe for use by several threads. */
public final class EventCounts {
    /** The final statuses of migrations. */
    private static final List<String> OVER = Arrays.stream(Status.values())
            .filter(Status::isOver)
            .map(Status::toString)
            .toList();

    private record Key(Metric metric, List<String> labels) {}

    private final Map<Key, LongAdder> counts = new ConcurrentHashMap<>();

    /** Counts an event. */
    public void happened(VmEvent event) {
        switch (event) {
            case VmEvent.Fault(String vm, String device, var kind, String message) ->
                count(Metric.DEVICE_FAULTS, vm, device, word(kind));
            case VmEvent.Connected(String vm, String device) -> count(Metric.DEVICE_CONNECTIONS, vm, device);
            case VmEvent.MigrationChange(String vm, String status) -> {
                if (OVER.contains(status)) {
                    count(Metric.MIGRATIONS_FINISHED, vm, status);
                }
            }
            case VmEvent.Removed(String vm, String device) ->
                counts.keySet()
                        .removeIf(key -> key.labels().getFirst().equals(vm)
                                && key.labels().get(1).equals(device));
            default -> {}
        }
    }

    /** Sets counters to 0, because Prometheus sees no increase in a counter that begins at 1. */
    void begin(String vm, Set<String> devices) {
        for (String device : devices) {
            counter(Metric.DEVICE_CONNECTIONS, vm, device);
            for (FaultKind kind : FaultKind.values()) {
                counter(Metric.DEVICE_FAULTS, vm, device, word(kind));
            }
        }
        for (String status : OVER) {
            counter(Metric.MIGRATIONS_FINISHED, vm, status);
        }
    }

    private static String word(Enum<?> kind) {
        return kind.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private void count(Metric metric, String... labels) {
        counter(metric, labels).increment();
    }

    private LongAdder counter(Metric metric, String... labels) {
        return counts.computeIfAbsent(new Key(metric, List.of(labels)), key -> new LongAdder());
    }

    /** @param vms the VMs that are served; counters of others are dropped */
    void addTo(Samples samples, Set<String> vms) {
        counts.keySet().removeIf(key -> !vms.contains(key.labels().getFirst()));
        counts.forEach((key, count) ->
                samples.add(key.metric(), count.sum(), key.labels().toArray(String[]::new)));
    }
}
