package org.exomem.conform.strict;

import java.util.stream.Stream;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.EventFd;

/** Faults in negotiation, shared memory and the setup of rings. */
final class WrongSetUps {
    private static final long PAGE = 4096;
    private static final int GET_VRING_BASE_INFLIGHT = 1 << 20;

    private WrongSetUps() {}

    static Stream<Wrong> all() {
        return Stream.concat(negotiations(), Stream.concat(memory(), rings()));
    }

    private static Wrong unasked(String id, int request) {
        return Wrong.of(id, peer -> peer.send(request, Payload.none()));
    }

    private static Stream<Wrong> negotiations() {
        return Stream.of(
                unasked("vhost.feature.1", Request.GET_STATUS),
                unasked("vhost.memory.1", Request.ADD_MEM_REG),
                unasked("vhost.config.3", Request.GET_CONFIG),
                unasked("vhost.inflight.25", Request.GET_INFLIGHT_FD),
                unasked("vhost.inflight.27", Request.SET_INFLIGHT_FD),
                unasked("vhost.status.3", Request.GET_STATUS),
                unasked("vhost.object.1", Request.GET_SHARED_OBJECT),
                unasked("vhost.state.27", Request.SET_DEVICE_STATE_FD),
                unasked("vhost.state.29", Request.CHECK_DEVICE_STATE),
                unasked("vhost.shmem.2", Request.GET_SHMEM_CONFIG),
                unasked("vhost.endian.1", Request.SET_VRING_ENDIAN),
                unasked("vhost.iotlb.14", Request.IOTLB_MSG),
                unasked("vhost.reset.4", Request.RESET_DEVICE).withoutProtocol(Protocol.RESET_DEVICE),
                unasked("vhost.queue.7", Request.GET_QUEUE_NUM).withoutProtocol(Protocol.MQ),
                unasked("vhost.feature.6", Request.GET_PROTOCOL_FEATURES).without(Features.PROTOCOL_FEATURES),
                unasked("vhost.feature.9", Request.SET_PROTOCOL_FEATURES).without(Features.PROTOCOL_FEATURES),
                unasked("vhost.queue.8", Request.SET_VRING_ENABLE),
                unasked("vhost.channel.6", Request.SET_BACKEND_REQ_FD),
                unasked("vhost.inband.3", Request.VRING_KICK),
                Wrong.of("vhost.kick.8", peer -> peer.send(Request.VRING_KICK, Payload.ring(0, 1))),
                Wrong.of("vhost.inband.2", peer -> peer.protocol(Protocol.INBAND_NOTIFICATIONS)),
                Wrong.of("vhost.vring.11", peer -> peer.protocol(GET_VRING_BASE_INFLIGHT)),
                Wrong.of("vhost.owner.1", peer -> peer.send(Request.SET_VRING_NUM, Payload.ring(0, 16))),
                unasked("vhost.owner.3", Request.RESET_OWNER));
    }

    private static void table(Peer peer, Region... regions) throws Exception {
        var files = new org.exomem.linux.Fd[regions.length];
        java.util.Arrays.fill(files, peer.ram.file().fd());
        peer.send(Request.SET_MEM_TABLE, Payload.regions(java.util.List.of(regions)), files);
    }

    private static void add(Peer peer, Region region) throws Exception {
        peer.send(Request.ADD_MEM_REG, Payload.region(region), peer.ram.file().fd());
    }

    private static Stream<Wrong> memory() {
        return Stream.of(
                Wrong.of("vhost.region.2", peer -> {
                    peer.protocol(Protocol.GPA_ADDRESSES);
                    table(peer, new Region(0, PAGE, PAGE, 0));
                }),
                Wrong.of(
                        "vhost.region.9",
                        peer -> table(peer, new Region(0, 2 * PAGE, 0, 0), new Region(PAGE, PAGE, 8 * PAGE, 2 * PAGE))),
                Wrong.of(
                        "vhost.region.10",
                        peer -> table(peer, new Region(0, 2 * PAGE, 0, 0), new Region(8 * PAGE, PAGE, PAGE, 2 * PAGE))),
                Wrong.of("vhost.region.11", peer -> {
                    peer.protocol(Protocol.CONFIGURE_MEM_SLOTS);
                    add(peer, new Region(0, 2 * PAGE, 0, 0));
                    add(peer, new Region(0, PAGE, 8 * PAGE, 0));
                }),
                Wrong.of("vhost.memory.2", peer -> {
                    try (EventFd event = new EventFd()) {
                        peer.send(Request.SET_VRING_KICK, Payload.number(0), event.fd());
                    }
                }),
                new Wrong(
                        "vhost.memory.10",
                        new Offer(
                                DeviceType.BALLOON,
                                Offer.of(DeviceType.BALLOON).features(),
                                Offer.of(DeviceType.BALLOON).protocolFeatures(),
                                5,
                                1),
                        Provocation.NONE,
                        peer -> {
                            peer.protocol(Protocol.CONFIGURE_MEM_SLOTS);
                            peer.send(Request.GET_MAX_MEM_SLOTS, Payload.none());
                            add(peer, new Region(0, PAGE, 0, 0));
                            add(peer, new Region(PAGE, PAGE, PAGE, PAGE));
                        }));
    }

    /** Sends a ring's settings one by one, without the message that enables it. */
    private static void setUp(Peer peer, RingDriver ring, RingAddresses addresses) throws Exception {
        peer.send(Request.SET_VRING_NUM, Payload.ring(ring.index(), ring.size()));
        peer.send(Request.SET_VRING_BASE, Payload.ring(ring.index(), 0));
        peer.send(Request.SET_VRING_ADDR, Payload.ringAddresses(addresses));
        peer.send(
                Request.SET_VRING_KICK,
                Payload.number(ring.index()),
                ring.kickFd().fd());
    }

    private static Stream<Wrong> rings() {
        return Stream.of(
                Wrong.of("vhost.queue.2", peer -> {
                    peer.send(Request.GET_QUEUE_NUM, Payload.none());
                    peer.send(Request.SET_VRING_ADDR, Payload.ringAddresses(new RingAddresses(5, 0, 0, 0, 0, 0)));
                }),
                Wrong.of("vhost.queue.3", peer -> {
                    try (EventFd event = new EventFd()) {
                        peer.send(Request.SET_VRING_NUM, Payload.ring(1, 16));
                        peer.send(Request.SET_VRING_KICK, Payload.number(0), event.fd());
                    }
                }),
                Wrong.of("vhost.queue.4", peer -> {
                    AttachedDevice device = peer.attach(Features.PROTOCOL_FEATURES | Features.VERSION_1, 0);
                    RingDriver ring = device.addRing(0, 16);
                    setUp(peer, ring, ring.addresses(false));
                    ring.add(java.util.List.of(Buffer.readable(peer.ram.allocate(4, 4), 4)));
                    ring.kick();
                }),
                Wrong.of("vhost.ring.10", peer -> {
                    AttachedDevice device = peer.attach(0);
                    device.addRing(0, 16);
                    device.start();
                }),
                Wrong.of("vhost.address.5", peer -> {
                    AttachedDevice device = peer.attach(0);
                    RingDriver ring = device.addRing(0, 16);
                    setUp(peer, ring, ring.guestAddresses(false));
                }),
                Wrong.of("vhost.address.3", peer -> {
                            AttachedDevice device = peer.attach(Protocol.GPA_ADDRESSES);
                            RingDriver ring = device.addRing(0, 16);
                            setUp(peer, ring, ring.addresses(false));
                        })
                        .withProtocol(Protocol.GPA_ADDRESSES),
                Wrong.of("vhost.vring.8", peer -> peer.send(Request.GET_VRING_BASE, Payload.ring(0, 1))),
                Wrong.of("vhost.status.1", peer -> {
                    AttachedDevice device = peer.attach(Protocol.STATUS);
                    RingDriver ring = device.addRing(0, 16);
                    device.start(ring, 0, false);
                    ring.add(java.util.List.of(Buffer.readable(peer.ram.allocate(4, 4), 4)));
                    ring.kick();
                }));
    }
}
