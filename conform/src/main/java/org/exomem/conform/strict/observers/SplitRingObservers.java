package org.exomem.conform.strict.observers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.Descriptor;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.ring.SplitQueue;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.RingAddresses;

/** What drivers write into split rings. */
final class SplitRingObservers {
    private static final long MOST_BYTES = 1L << 32;

    static final List<Observation> ALL = all();

    static final Map<String, String> UNWATCHED = Map.of(
            "ring.split.interrupt.2", "This is a permission, so nothing can break it.",
            "ring.split.interrupt.4", "This is a permission, so nothing can break it.");

    private SplitRingObservers() {}

    private static List<Observation> all() {
        List<Observation> all = new ArrayList<>();
        all.add(Observation.looking(
                "ring.split.layout.1",
                "The parts of a ring are aligned to 16, 2 and 4 bytes",
                (event, scene, tally) -> {
                    switch (event) {
                        case Event.RingStarted(Ring ring)
                        when isSplit(scene) -> tally.judge(isAligned(ring, scene), where(ring, scene));
                        case Event.RingUnfit(Ring ring, String why)
                        when isSplit(scene) && ring.isComplete() -> {
                            if (!isAligned(ring, scene)) {
                                tally.broken(where(ring, scene));
                            }
                        }
                        default -> {}
                    }
                }));
        all.add(Observation.looking(
                "ring.split.kick.1", "The flags of the used ring are 0 when the ring is new", (event, scene, tally) -> {
                    if (event instanceof Event.RingStarted(Ring ring)
                            && ring.queue().orElse(null) instanceof SplitQueue queue
                            && ring.base().orElse(0) == 0) {
                        tally.judge(queue.deviceFlags() == 0, ring + ": they are " + queue.deviceFlags());
                    }
                }));
        all.add(Observation.looking(
                "ring.split.avail.1",
                "The index of the available ring never moves backwards",
                (event, scene, tally) -> {
                    switch (event) {
                        case Event.RingBroken(Ring ring, String why)
                        when isSplit(scene) -> tally.broken(ring + ": " + why);
                        case Event.Available(Ring ring, Chain chain) when isSplit(scene) -> tally.kept();
                        default -> {}
                    }
                }));
        all.add(Observation.looking(
                "ring.split.interrupt.1",
                "Without EVENT_IDX the flags of the available ring are 0 or 1",
                (event, scene, tally) -> {
                    if (flags(event, scene, false) >= 0) {
                        tally.judge(flags(event, scene, false) <= 1, "they are " + flags(event, scene, false));
                    }
                }));
        all.add(Observation.looking(
                "ring.split.interrupt.3",
                "With EVENT_IDX the flags of the available ring are 0",
                (event, scene, tally) -> {
                    if (flags(event, scene, true) >= 0) {
                        tally.judge(flags(event, scene, true) == 0, "they are " + flags(event, scene, true));
                    }
                }));
        chain(
                all,
                "ring.split.framing.3",
                "Device-readable buffers come before device-writable ones",
                (chain, scene) -> {
                    boolean writable = false;
                    for (Descriptor buffer : chain.buffers()) {
                        if (writable && !buffer.has(Descriptor.WRITE)) {
                            return buffer + " follows a device-writable one";
                        }
                        writable |= buffer.has(Descriptor.WRITE);
                    }
                    return "";
                });
        chain(all, "ring.split.desc.5", "A chain has at most 2^32 bytes and no loop", (chain, scene) -> {
            long bytes = chain.buffers().stream().mapToLong(Descriptor::length).sum();
            String fault = chain.fault().filter(why -> why.contains("loop")).orElse("");
            return bytes <= MOST_BYTES ? fault : "it has " + bytes + " bytes";
        });
        chain(
                all,
                "ring.split.indirect.3",
                "A chain has no more descriptors than the queue",
                (chain, scene) ->
                        chain.fault().filter(why -> why.contains("more than")).orElse(""));
        all.add(Observation.looking(
                "ring.split.indirect.1",
                "INDIRECT is set only if INDIRECT_DESC was negotiated",
                (event, scene, tally) -> {
                    if (event instanceof Event.Available(Ring ring, Chain chain)
                            && isSplit(scene)
                            && isIndirect(chain)) {
                        tally.judge(scene.has(Features.INDIRECT_DESC), ring + ": " + chain);
                    }
                }));
        table(
                all,
                "ring.split.indirect.2",
                "A table refers to no other table",
                (chain, scene) -> chain.table().stream().noneMatch(each -> each.has(Descriptor.INDIRECT)));
        table(
                all,
                "ring.split.indirect.4",
                "No descriptor has both INDIRECT and NEXT",
                (chain, scene) -> chain.descriptors().stream()
                        .noneMatch(each -> each.has(Descriptor.INDIRECT | Descriptor.NEXT)));
        all.add(Observation.looking(
                "ring.split.indirect.5",
                "With IN_ORDER the descriptors of a table follow one another",
                (event, scene, tally) -> {
                    if (event instanceof Event.Available(Ring ring, Chain chain)
                            && isSplit(scene)
                            && scene.has(Features.IN_ORDER)
                            && chain.table().size() > 1) {
                        tally.judge(
                                chain.table().stream()
                                        .noneMatch(
                                                each -> each.has(Descriptor.NEXT) && each.link() != each.place() + 1),
                                ring + ": " + chain);
                    }
                }));
        all.add(Observation.looking(
                "ring.split.desc.6",
                "With IN_ORDER a chain's descriptors follow one another in the table",
                (event, scene, tally) -> {
                    if (event instanceof Event.Available(Ring ring, Chain chain)
                            && isSplit(scene)
                            && scene.has(Features.IN_ORDER)) {
                        int size = ring.size().orElse(1);
                        tally.judge(
                                chain.descriptors().stream()
                                        .noneMatch(each ->
                                                each.has(Descriptor.NEXT) && each.link() != (each.place() + 1) % size),
                                ring + ": " + chain);
                    }
                }));
        all.add(Observation.looking(
                "cleanup.1",
                "A driver does not alter descriptors of buffers that the device has not used",
                (event, scene, tally) -> {
                    if (event instanceof Event.Using(Ring ring, Chain chain, Chain now) && isSplit(scene)) {
                        tally.judge(chain.equals(now), ring + ": " + chain + " became " + now);
                    }
                }));
        return List.copyOf(all);
    }

    private static boolean isSplit(Scene scene) {
        return !scene.has(Features.RING_PACKED);
    }

    private static boolean isIndirect(Chain chain) {
        return chain.descriptors().stream().anyMatch(each -> each.has(Descriptor.INDIRECT));
    }

    /** The flags that the driver has set when it makes a chain available; -1 for other events. */
    private static int flags(Event event, Scene scene, boolean eventIndex) {
        return event instanceof Event.Available(Ring ring, Chain chain)
                        && scene.has(Features.EVENT_IDX) == eventIndex
                        && ring.queue().orElse(null) instanceof SplitQueue queue
                ? queue.driverFlags()
                : -1;
    }

    private static boolean isAligned(Ring ring, Scene scene) {
        RingAddresses at = ring.addresses().orElseThrow();
        return scene.memory().guestAddress(at.descriptors()) % 16 == 0
                && scene.memory().guestAddress(at.available()) % 2 == 0
                && scene.memory().guestAddress(at.used()) % 4 == 0;
    }

    private static String where(Ring ring, Scene scene) {
        RingAddresses at = ring.addresses().orElseThrow();
        return ring + " has its descriptors at 0x"
                + Long.toHexString(scene.memory().guestAddress(at.descriptors()))
                + ", available ring at 0x" + Long.toHexString(scene.memory().guestAddress(at.available()))
                + ", used ring at 0x" + Long.toHexString(scene.memory().guestAddress(at.used()));
    }

    /** @param wrong returns what is wrong with a chain; empty if nothing is */
    private static void chain(List<Observation> all, String id, String name, BiFunction<Chain, Scene, String> wrong) {
        all.add(Observation.looking(id, name, (event, scene, tally) -> {
            if (event instanceof Event.Available(Ring ring, Chain chain) && isSplit(scene)) {
                String what = wrong.apply(chain, scene);
                tally.judge(what.isEmpty(), ring + ": " + chain + ": " + what);
            }
        }));
    }

    private static void table(List<Observation> all, String id, String name, BiFunction<Chain, Scene, Boolean> right) {
        all.add(Observation.looking(id, name, (event, scene, tally) -> {
            if (event instanceof Event.Available(Ring ring, Chain chain) && isSplit(scene) && isIndirect(chain)) {
                tally.judge(right.apply(chain, scene), ring + ": " + chain);
            }
        }));
    }
}
