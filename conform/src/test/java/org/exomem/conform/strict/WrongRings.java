package org.exomem.conform.strict;

import java.util.List;
import java.util.stream.Stream;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.RingDriver;

/** Split and packed rings with faults in them. */
final class WrongRings {
    private static final int NEXT = 1;
    private static final int WRITE = 2;
    private static final int INDIRECT = 4;
    private static final int AVAIL = 1 << 7;
    private static final int STATISTICS = 2;

    private WrongRings() {}

    static Stream<Wrong> all() {
        return Stream.of(layouts(), chains(), tables(), packed(), notifications())
                .flatMap(each -> each);
    }

    /** Running rings; the first one is changed, and its first entry made available. */
    private static Wrong split(String id, Content content) {
        return Wrong.of(id, peer -> {
            peer.run(0, 0);
            RingDriver ring = peer.ring(0);
            content.put(peer, ring, ring.descriptors());
            peer.available(ring);
        });
    }

    private interface Content {
        void put(Peer peer, RingDriver ring, long descriptors);
    }

    /** Starts ring 0 at other addresses. */
    private static void startAt(Peer peer, long features, int descriptorsOff, int usedOff, Content before)
            throws Exception {
        AttachedDevice device = peer.attach(features | Features.VERSION_1, 0);
        RingDriver ring = device.addRing(0, Peer.RING);
        before.put(peer, ring, ring.descriptors());
        RingAddresses at = ring.addresses(false);
        peer.send(Request.SET_VRING_NUM, Payload.ring(0, Peer.RING));
        peer.send(Request.SET_VRING_BASE, Payload.ring(0, ring.base()));
        peer.send(
                Request.SET_VRING_ADDR,
                Payload.ringAddresses(new RingAddresses(
                        0, 0, at.descriptors() + descriptorsOff, at.used() + usedOff, at.available(), 0)));
        peer.send(Request.SET_VRING_KICK, Payload.number(0), ring.kickFd().fd());
    }

    private static Stream<Wrong> layouts() {
        return Stream.of(
                Wrong.of("ring.split.layout.1", peer -> startAt(peer, 0, 2, 0, (any, ring, at) -> {})),
                Wrong.of(
                        "ring.split.kick.1",
                        peer -> startAt(peer, 0, 0, 0, (any, ring, at) -> peer.ram.putShort(ring.deviceArea(), 1))),
                Wrong.of(
                                "ring.packed.queue.1",
                                peer -> startAt(peer, Features.RING_PACKED, 0, 2, (any, ring, at) -> {}))
                        .with(Features.RING_PACKED));
    }

    private static Stream<Wrong> chains() {
        return Stream.of(
                Wrong.of("ring.split.avail.1", peer -> {
                    peer.run(0, 0);
                    peer.ram.putShort(peer.ring(0).driverArea() + 2, 0xffff);
                    peer.ring(0).kickFd().signal();
                }),
                split("ring.split.interrupt.1", (peer, ring, at) -> peer.ram.putShort(ring.driverArea(), 2))
                        .without(Features.EVENT_IDX),
                split("ring.split.interrupt.3", (peer, ring, at) -> peer.ram.putShort(ring.driverArea(), 1)),
                split("ring.split.framing.3", (peer, ring, at) -> {
                    peer.split(at, 0, 0, 4, NEXT | WRITE, 1);
                    peer.split(at, 1, 0, 4, 0, 0);
                }),
                split("ring.split.desc.5", (peer, ring, at) -> {
                    peer.split(at, 0, 0, 4, NEXT, 1);
                    peer.split(at, 1, 0, 4, NEXT, 0);
                }),
                split("ring.split.desc.6", (peer, ring, at) -> {
                            peer.split(at, 0, 0, 4, NEXT, 5);
                            peer.split(at, 5, 0, 4, 0, 0);
                        })
                        .with(Features.IN_ORDER),
                Wrong.of("cleanup.1", peer -> {
                    peer.run(0, 0);
                    RingDriver ring = peer.ring(STATISTICS);
                    peer.split(ring.descriptors(), 0, 0, 10, 0, 0);
                    peer.available(ring);
                    awaitTaken(ring, peer);
                    peer.split(ring.descriptors(), 0, 4096, 10, 0, 0);
                    peer.frontEnd().getVringBase(STATISTICS);
                }));
    }

    /** With EVENT_IDX the device reports in avail_event what it has taken. */
    private static void awaitTaken(RingDriver ring, Peer peer) {
        org.awaitility.Awaitility.await().until(() -> peer.ram.getShort(ring.deviceArea() + 4 + 8L * Peer.RING) == 1);
    }

    private static Stream<Wrong> tables() {
        return Stream.of(
                split("ring.split.indirect.3", (peer, ring, at) -> {
                    long table = peer.ram.allocateZeroed(16 * 32, 16);
                    for (int i = 0; i < 32; i++) {
                        peer.split(table, i, 0, 4, i == 31 ? 0 : NEXT, i + 1);
                    }
                    peer.split(at, 0, table, 16 * 32, INDIRECT, 0);
                }),
                split("ring.split.indirect.1", (peer, ring, at) -> peer.split(at, 0, 0, 16, INDIRECT, 0))
                        .without(Features.INDIRECT_DESC),
                split("ring.split.indirect.2", (peer, ring, at) -> {
                    long table = peer.ram.allocateZeroed(16, 16);
                    peer.split(table, 0, 0, 16, INDIRECT, 0);
                    peer.split(at, 0, table, 16, INDIRECT, 0);
                }),
                split("ring.split.indirect.4", (peer, ring, at) -> peer.split(at, 0, 0, 16, INDIRECT | NEXT, 1)),
                split("ring.split.indirect.5", (peer, ring, at) -> {
                            long table = peer.ram.allocateZeroed(48, 16);
                            peer.split(table, 0, 0, 4, NEXT, 2);
                            peer.split(table, 2, 0, 4, 0, 0);
                            peer.split(at, 0, table, 48, INDIRECT, 0);
                        })
                        .with(Features.IN_ORDER));
    }

    /** A running packed ring; its descriptors are written, the first of them last. */
    private static Wrong packed(String id, int ring, Content content) {
        return Wrong.of(id, peer -> {
                    peer.run(Features.EVENT_IDX, 0);
                    content.put(peer, peer.ring(ring), peer.ring(ring).descriptors());
                    peer.ring(ring).kickFd().signal();
                })
                .with(Features.RING_PACKED);
    }

    private static Stream<Wrong> packed() {
        return Stream.of(
                packed("ring.packed.list.2", 0, (peer, ring, at) -> {
                    for (int i = Peer.RING - 1; i >= 0; i--) {
                        peer.packed(at, i, 0, 4, 0, AVAIL | NEXT);
                    }
                }),
                packed("ring.packed.list.6", 0, (peer, ring, at) -> peer.packed(at, 0, 0, 4, 0, AVAIL | NEXT)),
                packed("ring.packed.list.3", 0, (peer, ring, at) -> {
                    peer.packed(at, 1, 0, 4, 0, AVAIL);
                    peer.packed(at, 0, 0, 4, 0, AVAIL | WRITE | NEXT);
                }),
                packed("ring.packed.indirect.1", 0, (peer, ring, at) -> peer.packed(at, 0, 0, 16, 0, AVAIL | INDIRECT))
                        .without(Features.INDIRECT_DESC),
                packed("ring.packed.indirect.2", 0, (peer, ring, at) -> {
                    long table = peer.ram.allocateZeroed(16, 16);
                    peer.packed(table, 0, 0, 4, 0, NEXT);
                    peer.packed(at, 0, table, 16, 0, AVAIL | INDIRECT);
                }),
                packed("ring.packed.indirect.4", 0, (peer, ring, at) -> {
                    peer.packed(at, 1, 0, 16, 0, AVAIL | INDIRECT);
                    peer.packed(at, 0, 0, 4, 0, AVAIL | NEXT);
                }),
                Wrong.of("ring.packed.desc.6", peer -> {
                            peer.run(Features.EVENT_IDX, 0);
                            long at = peer.ring(0).descriptors();
                            boolean wrap = true;
                            for (int place = 0; !peer.noticed.getAsBoolean(); ) {
                                int flags = wrap ? AVAIL : 1 << 15;
                                peer.packed(at, place, 0, 4, 0, flags);
                                peer.ring(0).kickFd().signal();
                                int used = wrap ? AVAIL | 1 << 15 : 0;
                                int now = place;
                                // Changes its length repeatedly until the device has used it.
                                for (int i = 0; peer.ram.getShort(at + 16L * now + 14) != used; i++) {
                                    if (peer.ram.getShort(at + 16L * now + 14) == flags) {
                                        peer.ram.putInt(at + 16L * now + 8, 4 * (i % 2));
                                    }
                                }
                                place = (place + 1) % Peer.RING;
                                wrap ^= place == 0;
                            }
                        })
                        .with(Features.RING_PACKED));
    }

    /** Adds chains, and notifies for each, wanted or not, until the device notices. */
    private static void kickAlways(Peer peer) throws Exception {
        peer.run(0, 0);
        RingDriver ring = peer.ring(0);
        long buffer = peer.ram.allocateZeroed(4, 4);
        while (!peer.noticed.getAsBoolean()) {
            if (ring.free() > 0) {
                ring.add(List.of(Buffer.readable(buffer, 4)));
            }
            ring.kickFd().signal();
            while (ring.poll() != null) {
                // It is free again.
            }
            Thread.onSpinWait();
        }
    }

    private static void kickNever(Peer peer) throws Exception {
        peer.run(0, 0);
        RingDriver ring = peer.ring(0);
        long buffer = peer.ram.allocateZeroed(4, 4);
        // Chains that it finds at its first look do not count.
        ring.transfer(List.of(Buffer.readable(buffer, 4)), org.exomem.conformance.frontend.FrontEnd.LIMIT);
        while (!peer.noticed.getAsBoolean()) {
            ring.add(List.of(Buffer.readable(buffer, 4)));
            while (ring.outstanding() > 0 && !peer.noticed.getAsBoolean()) {
                ring.poll();
            }
        }
    }

    private static Stream<Wrong> notifications() {
        return Stream.of(
                Wrong.of("ring.split.kick.3", WrongRings::kickAlways).without(Features.EVENT_IDX),
                Wrong.of("ring.split.kick.7", WrongRings::kickAlways),
                Wrong.of("ring.split.kick.4", WrongRings::kickNever).without(Features.EVENT_IDX),
                Wrong.of("ring.split.kick.6", WrongRings::kickNever),
                // The driver does nothing more.
                Wrong.of("ring.split.interrupt.5", peer -> peer.run(0, 0)));
    }
}
