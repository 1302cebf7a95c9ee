package org.exomem.conform.strict.observers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Descriptor;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.RingAddresses;

/** What drivers write into packed rings. */
final class PackedRingObservers {
    static final List<Observation> ALL = all();

    static final Map<String, String> UNWATCHED =
            Map.of("ring.packed.desc.8", "This is a permission, so nothing can break it.");

    private PackedRingObservers() {}

    private static List<Observation> all() {
        List<Observation> all = new ArrayList<>();
        all.add(Observation.looking(
                "ring.packed.queue.1",
                "The ring is aligned to 16 bytes, and its event suppression to 4",
                (event, scene, tally) -> {
                    if (event instanceof Event.RingStarted(Ring ring) && isPacked(scene)) {
                        RingAddresses at = ring.addresses().orElseThrow();
                        tally.judge(
                                scene.memory().guestAddress(at.descriptors()) % 16 == 0
                                        && scene.memory().guestAddress(at.available()) % 4 == 0
                                        && scene.memory().guestAddress(at.used()) % 4 == 0,
                                ring + " has its descriptors at 0x" + Long.toHexString(at.descriptors())
                                        + ", the driver's event suppression at 0x" + Long.toHexString(at.available())
                                        + ", the device's at 0x" + Long.toHexString(at.used()));
                    }
                }));
        all.add(Observation.looking(
                        "ring.packed.desc.6",
                        "A descriptor that is available is not changed until the device has used it",
                        (event, scene, tally) -> {
                            if (event instanceof Event.Using(Ring ring, Chain chain, Chain now) && isPacked(scene)) {
                                tally.judge(chain.equals(now), ring + ": " + chain + " became " + now);
                            }
                        })
                .and("ring.packed.desc.5"));
        all.add(Observation.looking(
                        "ring.packed.list.2",
                        "A list has no more descriptors than the queue, and all of it fits into the queue",
                        (event, scene, tally) -> {
                            switch (event) {
                                case Event.RingBroken(Ring ring, String why)
                                when isPacked(scene) -> tally.broken(ring + ": " + why);
                                case Event.Available(Ring ring, Chain chain)
                                when isPacked(scene) ->
                                    tally.judge(
                                            chain.fault()
                                                            .filter(why -> why.contains("more than"))
                                                            .isEmpty()
                                                    && chain.table().size()
                                                            <= ring.size().orElse(0),
                                            ring + ": " + chain);
                                default -> {}
                            }
                        })
                .and("ring.packed.list.5"));
        each(
                all,
                "ring.packed.list.6",
                "The first descriptor of a list is made available last",
                chain -> chain.fault()
                        .filter(why -> why.contains("not available"))
                        .isEmpty());
        each(all, "ring.packed.list.3", "Device-readable elements come before device-writable ones", chain -> {
            boolean writable = false;
            for (Descriptor buffer : chain.buffers()) {
                if (writable && !buffer.has(Descriptor.WRITE)) {
                    return false;
                }
                writable |= buffer.has(Descriptor.WRITE);
            }
            return true;
        });
        all.add(Observation.looking(
                "ring.packed.indirect.1",
                "INDIRECT is set only if INDIRECT_DESC was negotiated",
                (event, scene, tally) -> {
                    if (event instanceof Event.Available(Ring ring, Chain chain)
                            && isPacked(scene)
                            && isIndirect(chain)) {
                        tally.judge(scene.has(Features.INDIRECT_DESC), ring + ": " + chain);
                    }
                }));
        all.add(Observation.looking(
                "ring.packed.indirect.2", "A descriptor in a table has no flag but WRITE", (event, scene, tally) -> {
                    if (event instanceof Event.Available(Ring ring, Chain chain)
                            && isPacked(scene)
                            && !chain.table().isEmpty()) {
                        tally.judge(
                                chain.table().stream().allMatch(each -> (each.flags() & ~Descriptor.WRITE) == 0),
                                ring + ": " + chain);
                    }
                }));
        each(
                all,
                "ring.packed.indirect.4",
                "A list that is linked by NEXT has no descriptor with INDIRECT",
                chain -> chain.descriptors().size() == 1 || !isIndirect(chain));
        return List.copyOf(all);
    }

    private static boolean isPacked(Scene scene) {
        return scene.has(Features.RING_PACKED);
    }

    private static boolean isIndirect(Chain chain) {
        return chain.descriptors().stream().anyMatch(each -> each.has(Descriptor.INDIRECT));
    }

    private static void each(List<Observation> all, String id, String name, Function<Chain, Boolean> right) {
        all.add(Observation.looking(id, name, (event, scene, tally) -> {
            if (event instanceof Event.Available(Ring ring, Chain chain) && isPacked(scene)) {
                tally.judge(
                        right.apply(chain),
                        ring + ": " + chain
                                + chain.fault().map(why -> ": " + why).orElse(""));
            }
        }));
    }
}
