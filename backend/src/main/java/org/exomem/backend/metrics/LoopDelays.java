package org.exomem.backend.metrics;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmTable;

/**
 * Measures the delays of the event loops. Each loop gets a task once a second, one after the other, so that they do not all
 * wake up at the same moment. On a thread of its own, which only sleeps and submits tasks.
 */
final class LoopDelays implements AutoCloseable {
    /** The time in which each loop gets one task. */
    private static final Duration ROUND = Duration.ofSeconds(1);
    /** The shortest sleep of the thread. */
    private static final Duration SHORTEST = Duration.ofMillis(10);

    private final VmTable vms;
    private final DelayHistogram ofVms = new DelayHistogram();
    private final Map<String, DelayHistogram> histograms = new ConcurrentHashMap<>();
    private final List<LoopProbe> others = new ArrayList<>();
    private final Map<String, OfVm> probes = new ConcurrentHashMap<>();
    private final Thread thread;

    private record OfVm(VirtualMachine vm, LoopProbe probe) {}

    /** @param loops the process's own, by label: each takes a task and runs it */
    LoopDelays(VmTable vms, Map<String, Consumer<Runnable>> loops) {
        this.vms = vms;
        histograms.put("vm", ofVms);
        loops.forEach((name, loop) ->
                others.add(new LoopProbe(loop, histograms.computeIfAbsent(name, of -> new DelayHistogram()))));
        thread = Thread.ofPlatform().daemon().name("loop-delays").unstarted(this::run);
    }

    void start() {
        thread.start();
    }

    private void run() {
        try {
            while (!Thread.interrupted()) {
                List<LoopProbe> round = round();
                // Several at once if there are so many that the thread would hardly sleep.
                int size = Math.max(1, round.size());
                int atOnce = Math.toIntExact(Math.ceilDiv(size * SHORTEST.toNanos(), ROUND.toNanos()));
                long each = ROUND.toNanos() * atOnce / size;
                for (int i = 0; i < size; i++) {
                    if (i < round.size()) {
                        round.get(i).ask();
                    }
                    if ((i + 1) % atOnce == 0) {
                        LockSupport.parkNanos(each);
                        if (Thread.currentThread().isInterrupted()) {
                            return;
                        }
                    }
                }
            }
        } finally {
            probes.clear();
        }
    }

    private List<LoopProbe> round() {
        List<VirtualMachine> served = vms.all();
        List<LoopProbe> round = new ArrayList<>(others);
        for (VirtualMachine vm : served) {
            round.add(probes.compute(
                            vm.name(),
                            (name, old) -> old != null && old.vm() == vm
                                    ? old
                                    : new OfVm(vm, new LoopProbe(vm::whenLoopIsFree, ofVms)))
                    .probe());
        }
        if (probes.size() > served.size()) {
            probes.values().removeIf(of -> !served.contains(of.vm()));
        }
        return round;
    }

    /** The delay of the VM's loop in nanoseconds; empty before the first measurement. */
    OptionalLong of(String vm) {
        OfVm probe = probes.get(vm);
        return probe == null
                ? OptionalLong.empty()
                : OptionalLong.of(probe.probe().delay());
    }

    void addTo(Samples samples) {
        histograms.forEach((loop, histogram) -> histogram.addTo(samples, loop));
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
