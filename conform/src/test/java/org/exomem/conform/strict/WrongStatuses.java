package org.exomem.conform.strict;

import java.util.List;
import java.util.stream.Stream;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.RingDriver;

/** Statuses and features that a driver must not write. */
final class WrongStatuses {
    private static final int ACKNOWLEDGE = 1;
    private static final int DRIVER = 3;
    private static final int FEATURES_OK = 11;
    private static final int DRIVER_OK = 15;
    private static final int SUSPEND = 16;
    private static final int FAILED = 128;

    private WrongStatuses() {}

    static Stream<Wrong> all() {
        return Stream.concat(statuses(), features());
    }

    private static void status(Peer peer, int... statuses) throws Exception {
        for (int status : statuses) {
            peer.send(Request.SET_STATUS, Payload.number(status));
        }
    }

    /** A running device, with SUSPEND negotiated and set. */
    private static void suspended(Peer peer) throws Exception {
        var device = peer.attach(Features.SUSPEND | Features.PROTOCOL_FEATURES | Features.VERSION_1, Protocol.STATUS);
        device.addRing(0, Peer.RING);
        device.start();
        status(peer, DRIVER_OK | SUSPEND);
        peer.frontEnd().getStatus();
    }

    private static Stream<Wrong> statuses() {
        return Stream.of(
                Wrong.of("status.1", peer -> status(peer, ACKNOWLEDGE, DRIVER, 7)),
                Wrong.of("status.2", peer -> status(peer, ACKNOWLEDGE, DRIVER, ACKNOWLEDGE)),
                Wrong.of("status.3", peer -> status(peer, DRIVER, DRIVER | FAILED, FEATURES_OK | FAILED)),
                Wrong.of("feature.8", peer -> status(peer, DRIVER, DRIVER | FAILED)),
                Wrong.of("init.3", peer -> {
                    status(peer, ACKNOWLEDGE, DRIVER);
                    peer.send(Request.SET_CONFIG, Payload.config(0, 4, 0, new byte[4]));
                }),
                Wrong.of("init.4", peer -> {
                    peer.send(Request.SET_FEATURES, Payload.number(Features.VERSION_1));
                    status(peer, ACKNOWLEDGE, DRIVER, FEATURES_OK);
                    peer.send(Request.SET_FEATURES, Payload.number(Features.VERSION_1 | Features.EVENT_IDX));
                }),
                Wrong.of("suspend.1", peer -> status(peer, ACKNOWLEDGE, DRIVER, DRIVER | SUSPEND)),
                Wrong.of("suspend.2", peer -> status(peer, DRIVER_OK, DRIVER_OK | SUSPEND, DRIVER_OK)),
                Wrong.of("suspend.3", peer -> {
                    suspended(peer);
                    RingDriver ring = peer.ring(0);
                    ring.add(List.of(Buffer.readable(peer.ram.allocate(4, 4), 4)));
                    ring.kick();
                }),
                Wrong.of("suspend.4", peer -> {
                    suspended(peer);
                    peer.ring(0).kickFd().signal();
                }),
                Wrong.of("suspend.5", peer -> {
                    suspended(peer);
                    peer.send(Request.SET_CONFIG, Payload.config(4, 4, 0, new byte[4]));
                }),
                Wrong.of("suspend.6", peer -> {
                    suspended(peer);
                    status(peer, DRIVER_OK, DRIVER_OK | SUSPEND);
                }));
    }

    private static Wrong accepts(String id, long features) {
        return Wrong.of(id, peer -> peer.send(Request.SET_FEATURES, Payload.number(features)));
    }

    private static Stream<Wrong> features() {
        return Stream.of(
                accepts("feature.1", Features.VERSION_1 | 1L << 50),
                accepts("feature.5", Features.VERSION_1 | Offer.UNDEFINED),
                accepts("reserved.1", Features.EVENT_IDX),
                accepts("reserved.6", Features.VERSION_1).with(Features.RING_PACKED),
                accepts("reserved.7", Features.VERSION_1),
                accepts("reserved.10", Features.VERSION_1 | Features.SR_IOV),
                accepts("balloon.feature.1", Features.VERSION_1),
                accepts("mem.init.1", Features.VERSION_1).on(DeviceType.MEM),
                Wrong.of("reserved.5", peer -> {
                    peer.run(0, 0);
                    RingDriver ring = peer.ring(0);
                    peer.split(ring.descriptors(), 0, 1L << 40, 4, 0, 0);
                    peer.available(ring);
                }));
    }
}
