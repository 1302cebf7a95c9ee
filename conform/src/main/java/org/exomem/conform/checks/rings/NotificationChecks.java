package org.exomem.conform.checks.rings;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.EventFd;

/** Kick, call and error descriptors. */
final class NotificationChecks {
    private static final int SPURIOUS = 50;
    private static final int TRANSFERS = 200;

    static final List<Check> ALL = RingKind.join(
            RingKind.each(
                    "vhost.kick.2",
                    "A kick makes the device process the ring, also on a new descriptor",
                    NotificationChecks::kickIsHeard),
            RingKind.splitAndPacked(
                    "vhost.kick.3",
                    "A ring without a kick descriptor is polled",
                    NotificationChecks::ringWithoutKickIsPolled),
            RingKind.each(
                    "vhost.call.2",
                    "The call descriptor is signalled when a buffer was used, and a new descriptor replaces it",
                    NotificationChecks::callComes),
            RingKind.splitAndPacked(
                    "vhost.call.3",
                    "A ring without a call descriptor is served, and no call is sent",
                    NotificationChecks::noCallWithoutDescriptor),
            RingKind.some(
                    List.of(RingKind.PACKED, RingKind.PACKED_EVENTS),
                    "vhost.kick.2",
                    "All requests of a driver that kicks only when the device requests it are served",
                    (trial, kind) -> kickOnlyWhenAsked(trial, trial.running(kind.wish()))),
            List.of(Check.of(
                    "vhost.err.2",
                    "The error descriptor is signalled when the driver breaks the ring",
                    NotificationChecks::errorIsSignalled)));

    private NotificationChecks() {}

    private static void kickIsHeard(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        for (int i = 0; i < 3; i++) {
            session.serve();
            session.settle();
            Rings.addAndKick(session);
            Rings.awaitPolling(trial, session, "the device ignored a kick: the request was not served");
        }
        EventFd other = trial.closeLater(new EventFd());
        int base = session.frontEnd().getVringBase(ring.index());
        Rings.configure(session, ring, base);
        session.frontEnd().setVringKick(ring.index(), other);
        session.frontEnd().setVringEnable(ring.index(), true);
        session.settle();
        Rings.add(session);
        other.signal();
        Rings.awaitPolling(trial, session, "the device ignored a kick on a new descriptor: the request was not served");
    }

    private static void ringWithoutKickIsPolled(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(kind.wish());
        RingDriver ring = session.ring();
        Rings.startOthers(session);
        Rings.configure(session, ring);
        session.frontEnd().setVringKickPolled(ring.index());
        session.frontEnd().setVringEnable(ring.index(), true);
        Rings.driverOk(session);
        for (int i = 0; i < 3; i++) {
            Rings.add(session);
            Rings.awaitPolling(
                    trial,
                    session,
                    "a request of a ring whose SET_VRING_KICK has bit 8 was not served without a kick within "
                            + session.limits().answer().toMillis() + " ms");
        }
    }

    private static void callComes(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        session.serve();
        for (int i = 0; i < 3; i++) {
            ring.callFd().drain();
            ring.resumeCalls();
            Rings.addAndKick(session);
            trial.expect(
                    Rings.isSignalled(ring.callFd(), session.limits().answer()),
                    "the device sent no call for a request within "
                            + session.limits().answer().toMillis() + " ms");
            Rings.awaitPolling(trial, session, "the device sent a call, but used no buffer");
        }
        EventFd other = trial.closeLater(new EventFd());
        session.frontEnd().setVringCall(ring.index(), other);
        session.settle();
        ring.callFd().drain();
        other.drain();
        ring.resumeCalls();
        Rings.addAndKick(session);
        trial.expect(
                Rings.isSignalled(other, session.limits().answer()),
                "the device sent no call on the new descriptor of SET_VRING_CALL within "
                        + session.limits().answer().toMillis() + " ms");
        trial.expect(
                !Rings.isSignalled(ring.callFd()),
                "the device sent a call on the descriptor that another SET_VRING_CALL has replaced");
    }

    private static void noCallWithoutDescriptor(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        session.serve();
        session.frontEnd().setVringCallPolled(ring.index());
        session.settle();
        ring.callFd().drain();
        for (int i = 0; i < 3; i++) {
            Rings.addAndKick(session);
            Rings.awaitPolling(trial, session, "a request of a ring whose SET_VRING_CALL has bit 8 was not served");
        }
        trial.expectNever(
                () -> Rings.isSignalled(ring.callFd()),
                "the device sent a call for a ring whose SET_VRING_CALL has bit 8");
    }

    static void kickOnlyWhenAsked(Trial trial, Session session) throws Exception {
        int kicks = 0;
        for (int i = 0; i < TRANSFERS; i++) {
            Rings.add(session);
            kicks += session.ring().kick() ? 1 : 0;
            Rings.await(session);
        }
        trial.transcript().say(kicks + " kicks for " + TRANSFERS + " requests");
    }

    static void spuriousKicks(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        for (int i = 0; i < SPURIOUS; i++) {
            ring.kickFd().signal();
            if (i % 10 == 0) {
                session.settle();
            }
        }
        trial.expect(ring.poll() == null, "the device used a buffer of an empty ring");
        session.serve();
        ring.kickFd().signal();
        session.serve();
    }

    private static void errorIsSignalled(Trial trial) throws Exception {
        Session session = trial.running(Wish.USUAL);
        RingDriver ring = session.ring();
        EventFd error = trial.closeLater(new EventFd());
        session.frontEnd().setVringErr(ring.index(), error);
        session.serve();
        session.settle();
        trial.expect(!Rings.isSignalled(error), "the error descriptor was signalled before any error");
        breakRing(session);
        if (trial.within(() -> Rings.isSignalled(error) || hasClosed(session))) {
            if (!Rings.isSignalled(error)) {
                trial.refused("an available entry that is out of range");
            }
            return;
        }
        trial.expect(
                false,
                "an available entry named descriptor " + (ring.size() + 7) + " of a ring of " + ring.size()
                        + ", but the error descriptor was not signalled within "
                        + session.limits().answer().toMillis() + " ms");
    }

    /** Makes an entry available whose descriptor is outside the split ring's table. */
    static void breakRing(Session session) {
        RingDriver ring = session.ring();
        GuestRam ram = session.ram();
        int index = ring.base();
        ram.putShort(ring.driverArea() + 4 + 2L * (index % ring.size()), ring.size() + 7);
        ram.putShort(ring.driverArea() + 2, index + 1);
        ring.kickFd().signal();
    }

    private static boolean hasClosed(Session session) {
        try {
            return session.connection().awaitReadable(Duration.ZERO);
        } catch (IOException e) {
            return Closing.is(e);
        }
    }
}
