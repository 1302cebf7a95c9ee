package org.exomem.conform.checks.log;

import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Outcome;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.EventFd;

/** Where the log is, and how the back-end changes it. */
final class LogAreaChecks {
    private static final long MIB = 1 << 20;
    private static final long LIMIT = 16 * MIB;
    private static final long ELSEWHERE = 12 * MIB;
    /** An address above all guest memory of the check, and in no region of a device. */
    private static final long NOWHERE = 64 * MIB;

    private static final int TRANSFERS = 200;

    static final List<Check> ALL = RingKind.join(List.of(
            Check.of(
                    "vhost.log.12",
                    "A log address outside of all memory regions is accepted",
                    LogAreaChecks::logAddressInNoRegion),
            Check.of(
                    "vhost.log.17",
                    "No byte outside the log is written, whichever pages are marked",
                    LogAreaChecks::staysInItsArea),
            Check.of(
                    "vhost.log.17",
                    "A new log replaces the previous one while the rings run",
                    LogAreaChecks::newLogReplaces),
            Check.of(
                    "vhost.log.9",
                    "Bits that the front-end changes at the same time are not lost",
                    LogAreaChecks::changesAreAtomic),
            Check.of(
                    "vhost.log.13",
                    "Pages are still marked after SET_LOG_FD with a descriptor",
                    LogAreaChecks::logDescriptor)));

    private LogAreaChecks() {}

    private static void logAddressInNoRegion(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        DirtyLog log = DirtyLog.of(trial, session, 2 * NOWHERE);
        log.running(trial, session, NOWHERE);
        session.serve();
        session.settle();
        trial.expect(!log.isEmpty(), "no page was marked after a request was served");
    }

    private static void staysInItsArea(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        // The log ends with the byte that has the bit of the last page. The used ring is logged at that page.
        DirtyLog log = DirtyLog.of(trial, session, LIMIT);
        log.running(trial, session, log.limit() - GuestRam.PAGE);
        for (int i = 0; i < 3; i++) {
            session.serve();
        }
        session.settle();
        log.requireRoomKept();
    }

    private static void newLogReplaces(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        DirtyLog first = DirtyLog.of(trial, session, LIMIT);
        first.running(trial, session, ELSEWHERE);
        DirtyLog second = DirtyLog.of(trial, session, LIMIT);
        second.share(session);
        session.settle();
        first.take();
        session.serve();
        session.settle();
        trial.expect(!second.take().isEmpty(), "no page was marked in the log of the second SET_LOG_BASE");
        Set<Long> old = first.take();
        trial.expect(old.isEmpty(), "pages " + old + " were marked in the previous log after a second SET_LOG_BASE");
        second.requireRoomKept();
    }

    private static void changesAreAtomic(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        DirtyLog log = DirtyLog.of(trial, session, LIMIT);
        log.running(trial, session, ELSEWHERE);
        session.serve();
        session.settle();
        Set<Long> marked = log.take();
        trial.expect(!marked.isEmpty(), "no page was marked after a request was served");
        long theirs = marked.iterator().next();
        long neighbour = neighbour(theirs, marked);
        AtomicBoolean stop = new AtomicBoolean();
        AtomicBoolean disturbed = new AtomicBoolean();
        // Counts the front-end's own changes. After an odd number, the bit must be set.
        int[] flips = new int[1];
        Thread other = Thread.ofPlatform().daemon().start(() -> {
            while (!stop.get()) {
                // Only the front-end changes this bit, so it must have its last value.
                if (log.isMarked(neighbour) != (flips[0] % 2 != 0)) {
                    disturbed.set(true);
                }
                log.flip(neighbour);
                flips[0]++;
            }
        });
        boolean lost = false;
        try {
            for (int i = 0; i < TRANSFERS; i++) {
                if (log.isMarked(theirs)) {
                    log.flip(theirs);
                }
                session.serve();
                session.settle();
                lost |= !log.isMarked(theirs);
            }
        } finally {
            stop.set(true);
            other.join();
        }
        trial.expect(!lost, "a mark of the device was lost while another bit of the same byte changed");
        trial.expect(
                !disturbed.get() && log.isMarked(neighbour) == (flips[0] % 2 != 0),
                "a change that the front-end made was lost while the device marked another bit of the same byte");
    }

    /** A page whose bit is in the same byte, and that the device does not write. */
    private static long neighbour(long page, Set<Long> marked) {
        long first = page / 8 * 8;
        for (long candidate = first; candidate < first + 8; candidate++) {
            if (!marked.contains(candidate)) {
                return candidate;
            }
        }
        throw new Skipped("the device marks all pages of a byte");
    }

    private static void logDescriptor(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        DirtyLog log = DirtyLog.of(trial, session, LIMIT);
        EventFd changed = trial.closeLater(new EventFd());
        log.running(trial, session, ELSEWHERE);
        Outcome outcome = session.attempt(Request.SET_LOG_FD, Payload.none(), List.of(changed.fd()));
        if (!(outcome instanceof Outcome.Accepted)) {
            // The back-end need not signal it.
            trial.expectRefused(outcome, "SET_LOG_FD");
            return;
        }
        for (int i = 0; i < 3; i++) {
            session.serve();
        }
        session.settle();
        trial.expect(!log.take().isEmpty(), "no page was marked after SET_LOG_FD");
        trial.transcript().say("the descriptor of SET_LOG_FD was " + (changed.drain() ? "signalled" : "not signalled"));
    }
}
