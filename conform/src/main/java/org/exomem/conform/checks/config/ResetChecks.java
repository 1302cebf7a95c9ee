package org.exomem.conform.checks.config;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.RingDriver;

/** Resets, by the device status and by RESET_DEVICE. */
final class ResetChecks {
    private static final int FEATURES_OK = 1 | 2 | 8;
    private static final int DRIVER_OK = FEATURES_OK | 4;
    private static final int RING_SIZE = 64;

    static final List<Check> ALL = List.of(
            Check.of("reset.1", "The status is 0 after a reset", ResetChecks::statusIsZero),
            Check.of(
                    "reset.2",
                    "After a reset by SET_STATUS the device processes no queue and sends no calls",
                    trial -> queuesAreLeftAlone(trial, Protocol.STATUS)),
            Check.of(
                    "vhost.reset.1",
                    "After RESET_DEVICE no ring is processed",
                    trial -> queuesAreLeftAlone(trial, Protocol.RESET_DEVICE)),
            Check.of(
                    "vhost.reset.2",
                    "After RESET_DEVICE the device can be initialized again, with other features and new rings",
                    ResetChecks::initializedAgain),
            Check.of(
                    "vhost.reset.3",
                    "After RESET_DEVICE the session continues without another SET_OWNER",
                    ResetChecks::ownerStays));

    private ResetChecks() {}

    private static void reset(Session session, long by) throws IOException {
        if (by == Protocol.STATUS) {
            session.frontEnd().setStatus(0);
        } else {
            session.frontEnd().resetDevice();
        }
        session.settle();
    }

    private static void statusIsZero(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.STATUS));
        FrontEnd frontEnd = session.frontEnd();
        reset(session, Protocol.STATUS);
        expectZero(trial, frontEnd, "SET_STATUS with 0");
        if (session.hasProtocol(Protocol.RESET_DEVICE)) {
            frontEnd.setStatus(1 | 2);
            reset(session, Protocol.RESET_DEVICE);
            expectZero(trial, frontEnd, "RESET_DEVICE");
        }
    }

    private static void expectZero(Trial trial, FrontEnd frontEnd, String reset) throws IOException {
        int status = frontEnd.getStatus();
        trial.expect(status == 0, "the status is 0x" + Integer.toHexString(status) + " after " + reset);
    }

    private static void queuesAreLeftAlone(Trial trial, long by) throws IOException {
        Session session = trial.running(Wish.USUAL.withProtocol(by));
        session.serve();
        reset(session, by);
        RingDriver ring = session.ring();
        ring.callFd().drain();
        ring.add(session.request().prepare());
        ring.kickFd().signal();
        trial.expectNever(
                () -> ring.poll() != null || ring.callFd().drain(),
                "the device served a request or sent a call after it was reset");
    }

    private static void initializedAgain(Trial trial) throws IOException {
        Session session =
                trial.running(Wish.USUAL.wanting(Features.INDIRECT_DESC).withProtocol(Protocol.RESET_DEVICE));
        session.serve();
        reset(session, Protocol.RESET_DEVICE);
        FrontEnd frontEnd = session.frontEnd();
        frontEnd.setFeatures(session.device().features() & ~Features.INDIRECT_DESC);
        startAnew(trial, session);
    }

    private static void ownerStays(Trial trial) throws IOException {
        Session session = trial.running(Wish.USUAL.withProtocol(Protocol.RESET_DEVICE));
        session.serve();
        reset(session, Protocol.RESET_DEVICE);
        session.frontEnd().getFeatures();
        session.frontEnd().setFeatures(session.device().features());
        startAnew(trial, session);
    }

    /** Sets up new rings in the memory that is still shared, and has one of them serve a request. */
    private static void startAnew(Trial trial, Session session) throws IOException {
        FrontEnd frontEnd = session.frontEnd();
        boolean hasStatus = session.hasProtocol(Protocol.STATUS);
        if (hasStatus) {
            frontEnd.setStatus(FEATURES_OK);
        }
        int queues = trial.sample().map(sample -> sample.queues()).orElse(0);
        RingDriver serving = session.ring();
        for (int queue = 0; queue < queues; queue++) {
            RingDriver ring = session.device().addRing(queue, RING_SIZE);
            session.device().start(ring, 0, false);
            if (queue == session.ring().index()) {
                serving = ring;
            }
        }
        if (hasStatus) {
            frontEnd.setStatus(DRIVER_OK);
        }
        session.verify(
                serving.transfer(session.request().prepare(), trial.limits().answer()));
    }
}
