package org.exomem.conform.checks.rings;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.exomem.linux.EventFd;

/** Rings that are started and stopped, enabled and disabled. */
final class RingStateChecks {
    private static final long EVERY_PROTOCOL_FEATURE = -1L;
    private static final long RING_RESET = 1L << 40;
    private static final int REQUESTS = 20;

    static final List<Check> ALL = RingKind.join(
            RingKind.splitAndPacked(
                    "vhost.ring.1",
                    "A ring is initially stopped and disabled",
                    RingStateChecks::beginsStoppedAndDisabled,
                    "vhost.ring.2",
                    "vhost.ring.4",
                    "status.5"),
            RingKind.each(
                    "vhost.ring.6",
                    "SET_VRING_KICK starts a ring that is already enabled, and the first kick starts a request",
                    RingStateChecks::starts,
                    "vhost.ring.3"),
            RingKind.each(
                    "vhost.ring.11",
                    "Requests that are available at SET_VRING_KICK are served without a kick",
                    RingStateChecks::servesWithoutKick),
            RingKind.splitAndPacked(
                    "vhost.ring.8",
                    "GET_VRING_BASE stops a ring, and later requests are served after the next start",
                    RingStateChecks::stops,
                    "vhost.ring.2",
                    "vhost.ring.9"),
            RingKind.splitAndPacked(
                    "vhost.ring.3",
                    "A ring that was disabled while it was stopped is disabled when it starts",
                    RingStateChecks::remembersDisabled,
                    "vhost.ring.4"),
            RingKind.each(
                    "vhost.ring.5",
                    "All requests of a started and enabled ring are carried out, each once",
                    RingStateChecks::carriesOutAll),
            RingKind.splitAndPacked(
                    "vhost.ring.5", "A kick of a disabled ring is not lost", RingStateChecks::kicksAreKept),
            RingKind.splitAndPacked(
                    "vhost.ring.12",
                    "SET_VRING_ENABLE enables and disables a running ring",
                    RingStateChecks::enablesAndDisables,
                    "vhost.ring.4"),
            RingKind.splitAndPacked(
                    "vhost.ring.13",
                    "SET_FEATURES without PROTOCOL_FEATURES enables all rings",
                    RingStateChecks::enabledWithoutProtocolFeatures),
            RingKind.splitAndPacked(
                    "vhost.ring.14",
                    "Descriptors, memory and features can be changed while the ring runs",
                    RingStateChecks::changesWhileItRuns),
            RingKind.splitAndPacked(
                    "queue.reset.5",
                    "A queue that was reset works with its new size and address",
                    RingStateChecks::resetWithAnotherSize,
                    "queue.reset.1"));

    private RingStateChecks() {}

    private static void beginsStoppedAndDisabled(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(kind.wish());
        RingDriver ring = session.ring();
        Rings.startOthers(session);
        Rings.configure(session, ring);
        Rings.addAndKick(session);
        trial.expectNever(() -> ring.poll() != null, "the device processed a ring that was never started");
        session.frontEnd().setVringKick(ring.index(), ring.kickFd());
        Rings.driverOk(session);
        boolean left = Rings.isLeft(trial, session, "started and was never enabled");
        session.frontEnd().setVringEnable(ring.index(), true);
        if (left) {
            // Another check tests whether the earlier kick was lost.
            ring.kickFd().signal();
            Rings.await(session);
        }
        session.serve();
    }

    private static void starts(Trial trial, RingKind kind) throws Exception {
        Session session = enabled(trial, kind);
        RingDriver ring = session.ring();
        session.frontEnd().setVringKick(ring.index(), ring.kickFd());
        session.settle();
        Rings.addAndKick(session);
        Rings.awaitPolling(
                trial,
                session,
                "a request was not served within " + session.limits().answer().toMillis()
                        + " ms on a ring that was enabled and then started");
        session.serve();
    }

    private static void servesWithoutKick(Trial trial, RingKind kind) throws Exception {
        Session session = enabled(trial, kind);
        RingDriver ring = session.ring();
        Rings.add(session);
        session.frontEnd().setVringKick(ring.index(), ring.kickFd());
        Rings.awaitPolling(
                trial,
                session,
                "a request that was available at SET_VRING_KICK was not served without a kick within "
                        + session.limits().answer().toMillis() + " ms");
        session.serve();
    }

    /** A session whose ring is enabled and stopped. */
    private static Session enabled(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(kind.wish());
        RingDriver ring = session.ring();
        Rings.startOthers(session);
        Rings.configure(session, ring);
        session.frontEnd().setVringEnable(ring.index(), true);
        Rings.driverOk(session);
        return session;
    }

    private static void stops(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        session.serve();
        List<Integer> bases = session.stop();
        Rings.addAndKick(session);
        trial.expectNever(() -> ring.poll() != null, "the device processed a ring after GET_VRING_BASE");
        session.goOn(bases);
        ring.kickFd().signal();
        Rings.await(session);
        session.serve();
    }

    private static void kicksAreKept(Trial trial, RingKind kind) throws Exception {
        Session session = enabled(trial, kind);
        RingDriver ring = session.ring();
        session.frontEnd().setVringKick(ring.index(), ring.kickFd());
        session.serve();
        session.frontEnd().setVringEnable(ring.index(), false);
        session.settle();
        Rings.addAndKick(session);
        boolean left = Rings.isLeft(trial, session, "disabled");
        session.frontEnd().setVringEnable(ring.index(), true);
        if (left) {
            Rings.awaitPolling(
                    trial,
                    session,
                    "a request that was kicked while the ring was disabled was not served within "
                            + session.limits().answer().toMillis() + " ms after SET_VRING_ENABLE");
        }
    }

    private static void remembersDisabled(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        session.serve();
        FrontEnd frontEnd = session.frontEnd();
        int base = frontEnd.getVringBase(ring.index());
        frontEnd.setVringEnable(ring.index(), false);
        Rings.configure(session, ring, base);
        Rings.addAndKick(session);
        frontEnd.setVringKick(ring.index(), ring.kickFd());
        boolean left = Rings.isLeft(trial, session, "started and was disabled before");
        frontEnd.setVringEnable(ring.index(), true);
        if (left) {
            // Another check tests whether the earlier kick was lost.
            ring.kickFd().signal();
            Rings.await(session);
        }
        session.serve();
    }

    private static void enablesAndDisables(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        for (int i = 0; i < 2; i++) {
            session.serve();
            session.frontEnd().setVringEnable(ring.index(), false);
            session.settle();
            Rings.addAndKick(session);
            boolean left = Rings.isLeft(trial, session, "disabled");
            session.frontEnd().setVringEnable(ring.index(), true);
            if (left) {
                ring.kickFd().signal();
                Rings.await(session);
            }
        }
        session.serve();
    }

    private static void carriesOutAll(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        List<Sample.Request> requests = Rings.requests(trial, session, REQUESTS);
        for (int round = 0; round < 5; round++) {
            Map<Integer, Sample.Request> sent = new HashMap<>();
            for (Sample.Request request : requests) {
                List<Buffer> chain = request.prepare();
                if (chain.size() <= ring.free()) {
                    sent.put(ring.add(chain), request);
                }
            }
            ring.kick();
            while (!sent.isEmpty()) {
                Used used = ring.await(session.limits().answer());
                Sample.Request request = sent.remove(used.id());
                if (request == null) {
                    throw new Unmet("chain " + used.id() + " was used, but it is not in flight");
                }
                request.verify(session.ram(), used);
            }
        }
        trial.expectNever(() -> ring.poll() != null, "the device used more chains than were made available");
    }

    private static void enabledWithoutProtocolFeatures(Trial trial, RingKind kind) throws Exception {
        Session session =
                trial.running(kind.wish().without(Features.PROTOCOL_FEATURES).withoutProtocol(EVERY_PROTOCOL_FEATURE));
        session.settle();
        session.serve();
        session.serve();
    }

    private static void changesWhileItRuns(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        FrontEnd frontEnd = session.frontEnd();
        int index = ring.index();
        session.serve();
        EventFd error = trial.closeLater(new EventFd());
        List<Region> regions = session.device().wireRegions();
        List<Change> changes = new ArrayList<>(List.of(
                () -> frontEnd.setVringCall(index, ring.callFd()),
                () -> frontEnd.setVringErr(index, error),
                () -> frontEnd.setMemTable(
                        regions,
                        regions.stream()
                                .map(region -> session.ram().file().fd())
                                .toList()),
                () -> frontEnd.setFeatures(session.device().features()),
                () -> frontEnd.setVringAddr(ring.addresses(false))));
        for (Change change : changes) {
            change.make();
            session.serve();
        }
        // The same while the ring is disabled.
        frontEnd.setVringEnable(index, false);
        for (Change change : changes) {
            change.make();
        }
        frontEnd.setVringEnable(index, true);
        session.serve();
    }

    @FunctionalInterface
    private interface Change {
        void make() throws Exception;
    }

    private static void resetWithAnotherSize(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish().with(RING_RESET));
        RingDriver ring = session.ring();
        session.serve();
        session.frontEnd().getVringBase(ring.index());
        ring.callFd().drain();
        Rings.addAndKick(session);
        trial.expectNever(
                () -> ring.poll() != null || Rings.isSignalled(ring.callFd()),
                "the device processed a queue, or sent a notification for it, after its reset");
        RingDriver other = session.device().addRing(ring.index(), ring.size() / 2);
        session.device().start(other, other.base(), false);
        for (int i = 0; i < other.size(); i++) {
            session.verify(
                    other.transfer(session.request().prepare(), session.limits().answer()));
        }
    }
}
