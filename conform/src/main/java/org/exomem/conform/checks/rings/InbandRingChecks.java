package org.exomem.conform.checks.rings;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.EventFd;

/** Rings whose notifications are messages (INBAND_NOTIFICATIONS). */
final class InbandRingChecks {
    private static final long INBAND = Protocol.INBAND_NOTIFICATIONS | Protocol.BACKEND_REQ | Protocol.REPLY_ACK;

    static final List<Check> ALL = RingKind.join(
            RingKind.splitAndPacked(
                    "vhost.ring.7",
                    "VRING_KICK starts a ring and makes the device process it",
                    InbandRingChecks::kickedByMessages,
                    "vhost.kick.7"),
            RingKind.splitAndPacked(
                    "vhost.kick.5",
                    "A kick descriptor still works with INBAND_NOTIFICATIONS",
                    InbandRingChecks::descriptorIsHeard),
            List.of(Check.of(
                    "vhost.err.4",
                    "An error descriptor is still signalled with INBAND_NOTIFICATIONS",
                    InbandRingChecks::errorDescriptorIsSignalled)));

    private InbandRingChecks() {}

    private static void kickedByMessages(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(kind.wish().withProtocol(INBAND));
        RingDriver ring = session.ring();
        Rings.startOthers(session);
        Rings.configure(session, ring);
        session.frontEnd().setVringEnable(ring.index(), true);
        Rings.driverOk(session);
        for (int i = 0; i < 3; i++) {
            Rings.add(session);
            session.frontEnd().vringKick(ring.index());
            Rings.awaitPolling(trial, session, "a request was not served after VRING_KICK");
        }
    }

    private static void descriptorIsHeard(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish().withProtocol(INBAND));
        for (int i = 0; i < 3; i++) {
            Rings.addAndKick(session);
            Rings.awaitPolling(trial, session, "the device ignored a kick on the descriptor with INBAND_NOTIFICATIONS");
        }
    }

    private static void errorDescriptorIsSignalled(Trial trial) throws Exception {
        Session session = trial.running(RingKind.SPLIT.wish().withProtocol(INBAND));
        RingDriver ring = session.ring();
        EventFd error = trial.closeLater(new EventFd());
        session.frontEnd().setVringErr(ring.index(), error);
        session.serve();
        NotificationChecks.breakRing(session);
        trial.expect(
                trial.within(() -> Rings.isSignalled(error)),
                "the error descriptor was not signalled with INBAND_NOTIFICATIONS");
        while (session.device().channel().awaitReadable(session.limits().quiet())) {
            requireNoError(trial, session);
        }
    }

    private static void requireNoError(Trial trial, Session session) throws IOException {
        int request = session.device().channel().receive().request();
        trial.expect(
                request != Request.BackEnd.VRING_ERR, "VRING_ERR was sent for a ring that has an error descriptor");
    }
}
