package org.exomem.conform.checks.rings;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;

/** Size, addresses and position of a ring. */
final class PositionChecks {
    private static final long RAM_SIZE = 16L << 20;
    private static final int SMALL = 16;
    private static final int REQUESTS = 24;
    private static final int WRAP = 1 << 15;

    static final List<Check> ALL = RingKind.join(
            RingKind.splitAndPacked(
                    "vhost.vring.1", "The ring has the size of SET_VRING_NUM", PositionChecks::anySize, "vhost.ring.5"),
            RingKind.splitAndPacked(
                    "vhost.vring.2",
                    "After a stop the ring can be at another address and have another size",
                    PositionChecks::movedRing,
                    "vhost.vring.1"),
            List.of(
                    Check.of(
                                    "vhost.vring.3",
                                    "A split ring starts at the index of SET_VRING_BASE, and GET_VRING_BASE returns"
                                            + " the next index",
                                    trial -> beginsAt(trial, RingKind.SPLIT, 1, 100, 0x7ffe, 0xfffe))
                            .and("vhost.vring.6"),
                    Check.of(
                                    "vhost.vring.5",
                                    "A packed ring starts at the position and wrap counter of SET_VRING_BASE, and"
                                            + " GET_VRING_BASE returns both",
                                    trial -> beginsAt(trial, RingKind.PACKED, 10 | WRAP, 62 | WRAP, 0, 10, 63))
                            .and("vhost.vring.7"),
                    Check.of(
                            "vhost.vring.4",
                            "The used index continues from its value in the ring",
                            PositionChecks::usedIndexIsTheRings)),
            RingKind.each(
                    "vhost.ring.9",
                    "A ring continues at its position through many stops and starts",
                    PositionChecks::manyStops),
            RingKind.each(
                    "vhost.vring.9",
                    "GET_VRING_BASE returns a position at which no request is in flight",
                    PositionChecks::completesBeforeItStops));

    private PositionChecks() {}

    private static Session session(Trial trial, Wish wish, int ringSize) throws Exception {
        GuestRam ram = trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, RAM_SIZE)));
        return trial.session(wish, ram, ringSize);
    }

    private static void anySize(Trial trial, RingKind kind) throws Exception {
        // Only a packed ring may have a size that is not a power of two.
        for (int size : kind.isPacked() ? new int[] {16, 20, 64, 128} : new int[] {16, 32, 128}) {
            Session session = session(trial, kind.wish(), size).start();
            for (int i = 0; i <= size; i++) {
                session.serve();
            }
            session.device().close();
        }
    }

    private static void movedRing(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        session.serve();
        session.frontEnd().getVringBase(ring.index());
        RingDriver other = session.device().addRing(ring.index(), ring.size() / 2);
        session.device().start(other, other.base(), false);
        for (int i = 0; i < other.size(); i++) {
            session.verify(
                    other.transfer(session.request().prepare(), session.limits().answer()));
        }
        trial.expect(ring.poll() == null, "the device used a buffer at the previous address of the ring");
    }

    private static void beginsAt(Trial trial, RingKind kind, int... positions) throws Exception {
        for (int position : positions) {
            Session session = trial.session(kind.wish());
            RingDriver ring = session.ring();
            ring.beginAt(position);
            session.start();
            for (int i = 0; i < 3; i++) {
                session.serve();
            }
            requireBase(trial, kind, session.frontEnd().getVringBase(ring.index()), ring.base());
            session.device().close();
        }
    }

    private static void requireBase(Trial trial, RingKind kind, int told, int expected) {
        trial.expect(
                told == expected,
                "GET_VRING_BASE returned " + text(kind, told) + ", but the ring is at " + text(kind, expected));
    }

    private static String text(RingKind kind, int base) {
        if (!kind.isPacked()) {
            return "index " + Integer.toUnsignedString(base);
        }
        return "available " + position(base) + ", used " + position(base >>> 16);
    }

    private static String position(int half) {
        return (half & 0x7fff) + " with wrap counter " + ((half >> 15) & 1);
    }

    private static void usedIndexIsTheRings(Trial trial) throws Exception {
        Session session = trial.session(Wish.USUAL);
        RingDriver ring = session.ring();
        GuestRam ram = session.ram();
        int begin = 100;
        ring.beginAt(begin);
        // Two requests that an earlier device has taken and not used.
        for (Sample.Request request : Rings.requests(trial, session, 2)) {
            ring.add(request.prepare());
        }
        long entries = ring.deviceArea() + 4;
        ram.fill(entries, 8L * ring.size(), (byte) 0xff);
        session.start();
        Rings.addAndKick(session);
        trial.expect(
                trial.within(() -> Rings.usedIndex(ring, ram) != begin),
                "the device used nothing with the used index at " + begin + " and the available index at "
                        + (begin + 2));
        int now = Rings.usedIndex(ring, ram);
        for (int index = begin; index != now; index = (index + 1) & 0xffff) {
            trial.expect(
                    ram.getInt(entries + 8L * (index % ring.size())) != -1,
                    "the used index went from " + begin + " to " + now + ", but used entry " + index
                            + " was not written");
        }
    }

    private static void manyStops(Trial trial, RingKind kind) throws Exception {
        Session session = session(trial, kind.wish(), SMALL).start();
        for (int round = 0; round < 3 * SMALL; round++) {
            session.serve();
            List<Integer> bases = session.stop();
            requireBase(
                    trial,
                    kind,
                    bases.get(session.device().rings().indexOf(session.ring())),
                    session.ring().base());
            boolean waiting = round % 3 == 0;
            if (waiting) {
                Rings.add(session);
            }
            session.goOn(bases);
            session.ring().kickFd().signal();
            if (waiting) {
                Rings.await(session);
            }
        }
    }

    private static void completesBeforeItStops(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        List<Sample.Request> requests = Rings.requests(trial, session, REQUESTS);
        Map<Integer, Sample.Request> sent = new HashMap<>();
        for (Sample.Request request : requests) {
            List<Buffer> chain = request.prepare();
            if (chain.size() <= ring.free()) {
                sent.put(ring.add(chain), request);
                ring.kickFd().signal();
            }
        }
        int all = sent.size();
        List<Integer> bases = session.stop();
        int told = bases.get(session.device().rings().indexOf(ring));
        for (Used used = ring.poll(); used != null; used = ring.poll()) {
            finish(session, sent, used);
        }
        // The device used everything that it took, so the driver's position is the device's.
        requireBase(trial, kind, told, ring.usedBase());
        trial.transcript().say(sent.size() + " of " + all + " requests were left in the ring");
        session.goOn(bases);
        ring.kickFd().signal();
        while (!sent.isEmpty()) {
            finish(session, sent, ring.await(session.limits().answer()));
        }
    }

    private static void finish(Session session, Map<Integer, Sample.Request> sent, Used used) {
        Sample.Request request = sent.remove(used.id());
        if (request == null) {
            throw new Unmet("chain " + used.id() + " was used, but it is not in flight");
        }
        request.verify(session.ram(), used);
    }
}
