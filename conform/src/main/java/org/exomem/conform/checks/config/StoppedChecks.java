package org.exomem.conform.checks.config;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.guest.RingDriver;

/** A device whose rings are all stopped. */
final class StoppedChecks {
    private static final long WATCHED = 16L << 20;

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.suspend.1",
                    "While all rings are stopped the device writes no guest memory",
                    StoppedChecks::noWrites),
            Check.of(
                    "vhost.suspend.2", "While all rings are stopped the device sends no calls", StoppedChecks::noCalls),
            Check.of(
                    "vhost.suspend.3",
                    "While all rings are stopped the back-end sends no unsolicited messages",
                    StoppedChecks::noMessages),
            Check.of(
                    "vhost.suspend.4",
                    "While all rings are stopped the back-end answers the front-end",
                    StoppedChecks::answers));

    private StoppedChecks() {}

    /** A session that served a request and then stopped its rings; another request waits in its ring. */
    private static Session stopped(Trial trial, Wish wish) throws IOException {
        Session session = trial.running(wish);
        session.serve();
        session.device().stop();
        session.ring().callFd().drain();
        session.ring().add(session.request().prepare());
        session.ring().kickFd().signal();
        return session;
    }

    private static void noWrites(Trial trial) throws IOException {
        Session session = stopped(trial, Wish.USUAL);
        MemorySegment memory = session.ram().contents().asSlice(0, WATCHED);
        byte[] before = memory.toArray(ValueLayout.JAVA_BYTE);
        // One comparison at the end is enough: a write would still be visible then.
        trial.soon(() -> false);
        long changed = memory.mismatch(MemorySegment.ofArray(before));
        trial.expect(changed < 0, "byte " + changed + " of guest memory changed while all rings were stopped");
    }

    private static void noCalls(Trial trial) throws IOException {
        RingDriver ring = stopped(trial, Wish.USUAL).ring();
        trial.expectNever(() -> ring.callFd().drain(), "the device sent a call while all rings were stopped");
    }

    private static void noMessages(Trial trial) throws IOException {
        Session session = stopped(trial, Wish.USUAL.withProtocol(Protocol.BACKEND_REQ));
        trial.expect(
                !session.device().channel().awaitReadable(trial.limits().quiet()),
                "the back-end sent a request on its channel while all rings were stopped");
        trial.expect(
                !session.connection().awaitReadable(Duration.ZERO),
                "the back-end sent a message that is not a reply while all rings were stopped");
    }

    private static void answers(Trial trial) throws IOException {
        Session session = stopped(trial, Wish.USUAL);
        session.frontEnd().getFeatures();
        if (session.hasProtocol(Protocol.MQ)) {
            session.frontEnd().getQueueNum();
        }
        if (session.hasProtocol(Protocol.STATUS)) {
            session.frontEnd().getStatus();
        }
        if (session.hasProtocol(Protocol.CONFIG)) {
            session.frontEnd().getConfig(0, 1);
        }
        // All rings are started: some devices serve none before all run.
        for (RingDriver ring : session.device().rings()) {
            session.device().start(ring, session.frontEnd().getVringBase(ring.index()), false);
        }
        session.verify(session.ring().await(trial.limits().answer()));
    }
}
