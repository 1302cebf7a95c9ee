package org.exomem.conform.strict.serve;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.exomem.conform.strict.ring.Chain;
import org.exomem.conform.strict.ring.DeviceQueue;
import org.exomem.conform.strict.ring.Ring;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.wire.Transcript;
import org.exomem.conformance.frontend.Features;
import org.exomem.linux.EventFd;

/**
 * Takes available chains, keeps them for a while, and serves them. It waits for notifications if it has asked for them,
 * and suppresses them while it is busy, so that both can be observed. For one thread.
 */
final class RingServing {
    /** A notification that did not come within this time counts as missing. */
    private static final Duration TO_KICK = Duration.ofMillis(500);
    /** A notification within this time may have been sent before the device suppressed notifications. */
    private static final long SETTLED_NANOS = 20_000_000;

    private final Scene scene;
    private final ServedDevice device;
    private final Transcript transcript;
    private final Consumer<Event> seen;
    private final Map<Ring, Wishes> wishes = new HashMap<>();

    /** The notifications that the device has asked the driver for. */
    private static final class Wishes {
        boolean refused;
        long refusedAt;
        boolean lateKickPossible;
        boolean look = true;
        long pendingSince;
    }

    RingServing(Scene scene, ServedDevice device, Transcript transcript, Consumer<Event> seen) {
        this.scene = scene;
        this.device = device;
        this.transcript = transcript;
        this.seen = seen;
    }

    /** A ring has begun to run. */
    void started(Ring ring) {
        wishes.put(ring, new Wishes());
    }

    /** Serves a ring. Returns true if the ring must be examined again soon, even without a notification. */
    boolean step(Ring ring, long now) {
        DeviceQueue queue = ring.queue().orElse(null);
        Wishes wish = wishes.computeIfAbsent(ring, unused -> new Wishes());
        if (queue == null || !scene.isActive(ring) || ring.fault().isPresent()) {
            return false;
        }
        EventFd kick = ring.kick();
        boolean kicked = kick != null && kick.drain();
        boolean pending = queue.isPending();
        if (kicked || wish.look || pending && (wish.refused || kick == null)) {
            take(ring, queue, wish, kicked, now);
        } else if (!pending) {
            wish.pendingSince = 0;
        } else if (wish.pendingSince == 0) {
            wish.pendingSince = now;
        } else if (scene.isOver(wish.pendingSince, now, TO_KICK)) {
            see(new Event.NotKicked(ring));
            take(ring, queue, wish, false, now);
        }
        serveDue(ring, queue, now);
        if (wish.refused && ring.held().stream().allMatch(each -> isKept(ring, each))) {
            queue.wantKicks();
            wish.refused = false;
            wish.lateKickPossible = queue.isPending();
            wish.look = wish.lateKickPossible;
        }
        return wish.look || wish.refused || wish.pendingSince != 0;
    }

    private void take(Ring ring, DeviceQueue queue, Wishes wish, boolean kicked, long now) {
        boolean quiet = wish.refused && !kicked;
        boolean first = wish.look && queue.taken() == 0;
        wish.look = false;
        wish.pendingSince = 0;
        DeviceQueue.Taken taken = queue.take();
        int found = taken.chains().size();
        if (kicked) {
            boolean asked = !wish.refused || wish.lateKickPossible || !settled(wish, now);
            wish.lateKickPossible = false;
            transcript.say(ring + ": kicked" + (asked ? "" : ", which was not requested"));
            see(new Event.Kicked(ring, asked, found));
        } else if (quiet && found > 0) {
            see(new Event.Quiet(ring));
        }
        for (Chain chain : taken.chains()) {
            transcript.say(ring + ": available: " + chain
                    + chain.fault().map(fault -> "; " + fault).orElse(""));
            ring.held().add(new Ring.Held(chain, now));
            see(new Event.Available(ring, chain));
            device.taken(scene, ring, chain);
        }
        taken.fault().ifPresent(fault -> {
            ring.setFault(fault);
            transcript.say(ring + ": " + fault);
            see(new Event.RingBroken(ring, fault));
        });
        if (found > 0 && !wish.refused) {
            queue.refuseKicks();
            wish.refused = true;
            wish.refusedAt = now;
            // Before the first chain, the front-end itself may have sent a notification.
            wish.lateKickPossible |= first || !kicked;
        } else if (found == 0 && !wish.refused) {
            queue.wantKicks();
        }
    }

    /** With EVENT_IDX of a split ring the device writes nothing to suppress notifications, so none can be late. */
    private boolean settled(Wishes wish, long now) {
        return scene.has(Features.EVENT_IDX) && !scene.has(Features.RING_PACKED)
                || now - wish.refusedAt > SETTLED_NANOS;
    }

    private boolean isKept(Ring ring, Ring.Held held) {
        return device.kept(scene, ring, held.chain()).toDays() > 0;
    }

    private void serveDue(Ring ring, DeviceQueue queue, long now) {
        boolean used = false;
        while (!ring.held().isEmpty()
                && now - ring.held().getFirst().since()
                        >= device.kept(scene, ring, ring.held().getFirst().chain())
                                .toNanos()) {
            use(ring, queue, ring.held().removeFirst().chain());
            used = true;
        }
        if (used && queue.callWanted()) {
            ring.callDriver();
        }
    }

    private void use(Ring ring, DeviceQueue queue, Chain chain) {
        see(new Event.Using(ring, chain, queue.again(chain)));
        long written = device.serve(scene, ring, chain);
        queue.use(chain, written);
        see(new Event.Used(ring, chain));
    }

    /** Serves all chains that were taken, so that none is in flight. */
    void flush(Ring ring) {
        ring.queue().ifPresent(queue -> {
            boolean used = !ring.held().isEmpty();
            while (!ring.held().isEmpty()) {
                use(ring, queue, ring.held().removeFirst().chain());
            }
            if (used && queue.callWanted()) {
                ring.callDriver();
            }
        });
    }

    /** Calls the driver of a ring, although no chain was used. */
    void callForNothing(List<Ring> rings) {
        for (Ring ring : rings) {
            if (scene.isActive(ring)) {
                transcript.say(ring + ": the device sends a spurious call");
                ring.callDriver();
                see(new Event.CalledForNothing(ring));
            }
        }
    }

    private void see(Event event) {
        seen.accept(event);
    }
}
