package org.exomem.conform.strict.observers;

import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.ring.DeviceQueue;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;

/** How a front-end sets up, starts and stops rings. */
final class SetUpObservers {
    private static final Duration TO_KICK = Duration.ofSeconds(2);
    private static final Duration TO_ENABLE = Duration.ofSeconds(2);

    static final List<Observation> ALL = List.of(
            Observation.looking(
                    "vhost.queue.2", "No more queues are used than GET_QUEUE_NUM reports", (event, scene, tally) -> {
                        if (event instanceof Event.Requested(var message)
                                && message.is(Request.SET_VRING_ADDR)
                                && scene.count(Request.GET_QUEUE_NUM) > 0) {
                            tally.judge(
                                    Integer.compareUnsigned(
                                                    message.intAt(0),
                                                    scene.offer().queues())
                                            < 0,
                                    "ring " + Integer.toUnsignedString(message.intAt(0))
                                            + " is set up; GET_QUEUE_NUM reported "
                                            + scene.offer().queues());
                        }
                    }),
            Observation.looking(
                    "vhost.queue.3", "A queue is named by one index in all messages", (event, scene, tally) -> {
                        if (event instanceof Event.Requested(var message) && message.is(Request.SET_VRING_KICK)) {
                            Ring ring = scene.ring((int) message.longAt(0) & 0xff);
                            tally.judge(
                                    ring.size().isPresent()
                                            && ring.addresses().isPresent()
                                            && ring.base().isPresent(),
                                    ring
                                            + " received its kick descriptor without all of SET_VRING_NUM,"
                                            + " SET_VRING_ADDR and"
                                            + " SET_VRING_BASE");
                        }
                    }),
            Observation.of("vhost.queue.4", "Each queue that is used is enabled", Enabled::new),
            Observation.of("vhost.ring.10", "A ring is kicked once after SET_VRING_KICK", FirstKick::new),
            Observation.looking(
                    "vhost.address.5",
                    "Without GPA_ADDRESSES, ring addresses are user addresses of guest memory",
                    (event, scene, tally) -> addresses(event, scene, tally, false)),
            Observation.looking(
                    "vhost.address.3",
                    "With GPA_ADDRESSES, ring addresses are guest addresses",
                    (event, scene, tally) -> addresses(event, scene, tally, true)),
            Observation.ofRequest(
                    "vhost.vring.8",
                    "The number in GET_VRING_BASE is 0",
                    Request.GET_VRING_BASE,
                    message -> message.intAt(4) == 0),
            Observation.of("vhost.status.1", "Each change of the device status is reported", StatusTold::new));

    static final Map<String, String> UNWATCHED = Map.of(
            "vhost.config.7", "This is a permission, so nothing can break it.",
            "vhost.config.9", "This is a permission, so nothing can break it.",
            "vhost.endian.3", "The device does not offer CROSS_ENDIAN.",
            "vhost.inflight.26", "A back-end is not told when the VM is reset.",
            "vhost.inflight.28", "The run ends with the connection, so no front-end connects again.");

    private SetUpObservers() {}

    private static void addresses(Event event, Scene scene, Tally tally, boolean guest) {
        if (scene.hasProtocol(Protocol.GPA_ADDRESSES) != guest) {
            return;
        }
        switch (event) {
            case Event.RingStarted(Ring ring) -> tally.kept();
            case Event.RingUnfit(Ring ring, String why)
            when ring.isComplete() && !scene.memory().regions().isEmpty() -> {
                RingAddresses where = ring.addresses().orElseThrow();
                tally.broken(ring + ", with descriptors at 0x" + Long.toHexString(where.descriptors())
                        + ", available ring at 0x" + Long.toHexString(where.available()) + " and used ring at 0x"
                        + Long.toHexString(where.used()) + ", can't run: " + why);
            }
            default -> {}
        }
    }

    /** A ring with an available chain must be enabled soon. */
    private static final class Enabled implements Observer {
        private final Map<Ring, Long> waiting = new HashMap<>();

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            if (!scene.has(Features.PROTOCOL_FEATURES)) {
                return;
            }
            if (event instanceof Event.Requested(FrontEndMessage message)
                    && message.is(Request.SET_VRING_ENABLE)
                    && message.intAt(4) == 1) {
                tally.kept();
            }
            if (event instanceof Event.Tick(long now)) {
                for (Ring ring : scene.rings()) {
                    boolean stuck = !ring.isEnabled()
                            && scene.count(Request.SET_VRING_ENABLE) == 0
                            && ring.queue().filter(DeviceQueue::isPending).isPresent();
                    if (!stuck) {
                        waiting.remove(ring);
                    } else if (scene.isOver(waiting.computeIfAbsent(ring, unused -> now), now, TO_ENABLE)) {
                        tally.broken(ring + " has buffers but was not enabled within " + TO_ENABLE.toSeconds() + " s");
                        waiting.put(ring, Long.MAX_VALUE);
                    }
                }
            }
        }
    }

    private static final class FirstKick implements Observer {
        private final Map<Ring, Long> waiting = new HashMap<>();

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            switch (event) {
                case Event.RingStarted(Ring ring) -> waiting.put(ring, System.nanoTime());
                case Event.RingStopping(Ring ring) -> waiting.remove(ring);
                case Event.Kicked(Ring ring, boolean asked, int found) -> {
                    if (waiting.remove(ring) != null) {
                        tally.kept();
                    }
                }
                case Event.Tick(long now) ->
                    waiting.entrySet().removeIf(each -> {
                        boolean late = scene.isOver(each.getValue(), now, TO_KICK) && scene.isActive(each.getKey());
                        if (late) {
                            tally.broken(each.getKey() + " was not kicked within " + TO_KICK.toSeconds()
                                    + " s after SET_VRING_KICK");
                        }
                        return late;
                    });
                default -> {}
            }
        }
    }

    /** A driver that uses rings must have set DRIVER_OK, and must have reset a device that starts anew. */
    private static final class StatusTold implements Observer {
        private final Set<Ring> ranBefore = new HashSet<>();
        private boolean told;
        private boolean resetTold;
        private boolean judged;

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            if (!scene.hasProtocol(Protocol.STATUS)) {
                return;
            }
            switch (event) {
                case Event.Requested(FrontEndMessage message)
                when message.is(Request.SET_STATUS) -> {
                    int status = (int) message.longAt(0) & 0xff;
                    told |= (status & Scene.DRIVER_OK) != 0;
                    resetTold |= status == 0;
                }
                case Event.RingStarted(Ring ring) -> {
                    boolean anew = (ring.base().orElse(0) & 0x7fff) == 0;
                    if (anew && !ranBefore.add(ring) && ring.index() == 0 && !resetTold) {
                        tally.broken(
                                "ring 0 starts again, so the device was reset, but status 0 was not reported before");
                    }
                    resetTold = false;
                }
                case Event.Available(Ring ring, var chain) -> {
                    if (!judged) {
                        judged = true;
                        tally.judge(
                                told,
                                "the driver uses " + ring + ", so it has set DRIVER_OK; the reported status is 0x"
                                        + Integer.toHexString(scene.status()));
                    }
                }
                default -> {}
            }
        }
    }
}
