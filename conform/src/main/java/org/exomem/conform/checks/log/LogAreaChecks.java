package org.exomem.conform.checks.log;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.EventFd;

/** Where the log is, and how it is changed. */
final class LogAreaChecks {
    private static final long MIB = 1 << 20;
    private static final long LIMIT = 16 * MIB;
    private static final long ELSEWHERE = 12 * MIB;
    /** Above all guest memory of the check, and in none of the regions of a device. */
    private static final long NOWHERE = 64 * MIB;

    private static final int TRANSFERS = 200;

    static final List<Check> ALL = RingKind.join(List.of(
            Check.of(
                    "vhost.log.12",
                    "A log address that is in no memory region is accepted, and marked",
                    LogAreaChecks::logAddressInNoRegion),
            Check.of(
                    "vhost.log.17",
                    "Nothing is written outside the log, whatever is marked",
                    LogAreaChecks::staysInItsArea),
            Check.of(
                    "vhost.log.17",
                    "A new log takes the place of the one before while the rings run",
                    LogAreaChecks::newLogReplaces),
            Check.of(
                    "vhost.log.9",
                    "Bits that others change at the same time are not lost",
                    LogAreaChecks::changesAreAtomic),
            Check.of(
                    "vhost.log.13",
                    "A descriptor of SET_LOG_FD is accepted, and marking goes on",
                    LogAreaChecks::logDescriptor)));

    private LogAreaChecks() {}

    private static void logAddressInNoRegion(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        DirtyLog log = DirtyLog.upTo(trial, 2 * NOWHERE);
        log.running(trial, session, NOWHERE);
        session.serve();
        session.settle();
        Set<Long> marked = log.take();
        trial.expect(
                marked.contains(DirtyLog.page(NOWHERE)),
                "page " + DirtyLog.page(NOWHERE) + " of the ring's log address is not marked; marked are " + marked);
    }

    private static void staysInItsArea(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        // The log ends before the page at which the used ring is logged.
        DirtyLog log = DirtyLog.upTo(trial, ELSEWHERE);
        log.share(session);
        session.start();
        int base = session.frontEnd().getVringBase(session.ring().index());
        long behind = ELSEWHERE + 64 * GuestRam.PAGE;
        try {
            DirtyLog.startLogged(session, session.ring(), base, behind);
        } catch (RequestRefusedException e) {
            trial.transcript().say("a log address behind the log's end was refused: " + e.getMessage());
            return;
        } catch (IOException e) {
            if (!Closing.is(e)) {
                throw e;
            }
            trial.refused("a log address behind the log's end");
            return;
        }
        for (int i = 0; i < 3; i++) {
            session.ring().add(session.request().prepare());
            session.ring().kickFd().signal();
            // A back-end may refuse to work where its log has no room; it must not write beside it.
            trial.within(() -> session.ring().poll() != null);
            log.requireRoomKept();
        }
    }

    private static void newLogReplaces(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        DirtyLog first = DirtyLog.upTo(trial, LIMIT);
        first.running(trial, session, ELSEWHERE);
        DirtyLog second = DirtyLog.upTo(trial, LIMIT);
        second.share(session);
        session.settle();
        first.take();
        session.serve();
        session.settle();
        trial.expect(!second.take().isEmpty(), "nothing is marked in the log that a second SET_LOG_BASE named");
        Set<Long> old = first.take();
        trial.expect(old.isEmpty(), "pages " + old + " were marked in the log before, after a second SET_LOG_BASE");
        second.requireRoomKept();
    }

    private static void changesAreAtomic(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        DirtyLog log = DirtyLog.upTo(trial, LIMIT);
        log.running(trial, session, ELSEWHERE);
        long theirs = DirtyLog.page(ELSEWHERE);
        long neighbour = theirs + 3;
        AtomicBoolean stop = new AtomicBoolean();
        AtomicBoolean disturbed = new AtomicBoolean();
        // Counts its own changes: an odd number leaves the bit set.
        int[] flips = new int[1];
        Thread other = Thread.ofPlatform().daemon().start(() -> {
            while (!stop.get()) {
                // Nobody else changes this bit: it is what it was left.
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

    private static void logDescriptor(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        DirtyLog log = DirtyLog.upTo(trial, LIMIT);
        EventFd changed = trial.closeLater(new EventFd());
        log.running(trial, session, ELSEWHERE);
        session.frontEnd().setLogFd(changed);
        for (int i = 0; i < 3; i++) {
            session.serve();
        }
        session.settle();
        trial.expect(!log.take().isEmpty(), "nothing is marked since SET_LOG_FD");
        trial.transcript().say("the descriptor of SET_LOG_FD was " + (changed.drain() ? "signalled" : "not signalled"));
    }
}
