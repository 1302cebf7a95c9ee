package org.exomem.conform.checks.log;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Set;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.MovedRequest;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;

/** Which pages the back-end marks in the log. */
final class MarkChecks {
    private static final long LIMIT = 16L << 20;
    /** An address whose pages contain no buffer and no ring of the check. */
    private static final long ELSEWHERE = 12L << 20;

    static final List<Check> ALL = RingKind.join(
            RingKind.each(
                    "vhost.log.4",
                    "Each page of a buffer that the device writes is marked",
                    MarkChecks::buffersAreMarked,
                    "vhost.log.6"),
            RingKind.each(
                    "vhost.log.5",
                    "Writes to the used ring are marked at the ring's log address, and only with the ring's log flag",
                    MarkChecks::usedRingIsMarked,
                    "vhost.log.6"),
            List.of(Check.of(
                    "vhost.log.10",
                    "A write to the used ring is marked at the same offset from the log address as from the start of"
                            + " the ring",
                    MarkChecks::offsetInUsedRingCounts)),
            RingKind.splitAndPacked(
                    "vhost.log.3",
                    "No page is marked after SET_FEATURES without LOG_ALL",
                    MarkChecks::nothingWithoutLogAll),
            RingKind.splitAndPacked(
                    "vhost.log.16",
                    "Neither guest memory nor the log changes after the rings were stopped",
                    MarkChecks::nothingAfterStop));

    private MarkChecks() {}

    private static void buffersAreMarked(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(DirtyLog.wish(kind.wish()));
        DirtyLog log = DirtyLog.of(trial, session, LIMIT);
        requireWritable(session);
        log.running(trial, session, -1);
        GuestRam ram = session.ram();
        // The first byte of the answer is at the end of a page, and the others are in the next page.
        List<Buffer> request = session.request().prepare();
        long readable = request.stream()
                .filter(buffer -> !buffer.writable())
                .mapToLong(Buffer::length)
                .sum();
        for (long end = 8L << 20; end < 11L << 20; end += 17 * GuestRam.PAGE + (1L << 18)) {
            MovedRequest moved = MovedRequest.to(ram, session.request().prepare(), end - readable - 1);
            Used used =
                    session.ring().transfer(moved.buffers(), session.limits().answer());
            session.settle();
            Set<Long> marked = log.take();
            moved.bringBack();
            session.verify(used);
            requireMarked(trial, marked, DirtyLog.page(end) - 1, "the last byte of the page was written");
            if (used.written() > 1) {
                requireMarked(trial, marked, DirtyLog.page(end), "the first bytes of the page were written");
            }
            log.requireRoomKept();
        }
    }

    private static void requireWritable(Session session) {
        session.ring();
        if (session.request().leastWritten() < 1) {
            throw new Skipped("the device writes nothing into the buffers of the request that the runner sends");
        }
    }

    private static void requireMarked(Trial trial, Set<Long> marked, long page, String why) {
        trial.expect(
                marked.contains(page),
                "page " + page + " is not marked, although " + why + "; marked pages: " + marked);
    }

    private static void usedRingIsMarked(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(DirtyLog.wish(kind.wish()));
        DirtyLog log = DirtyLog.of(trial, session, LIMIT);
        log.running(trial, session, ELSEWHERE);
        session.serve();
        session.settle();
        Set<Long> marked = log.take();
        log.requireRoomKept();
        RingDriver ring = session.ring();
        // A packed ring's used descriptors are in its descriptor area, but the document defines the log address for the
        // device area.
        trial.expect(
                marked.contains(DirtyLog.page(ELSEWHERE))
                        || (kind.isPacked() && marked.contains(DirtyLog.page(ring.descriptors()))),
                "the used ring was written, but page " + DirtyLog.page(ELSEWHERE)
                        + " of its log address is not marked; marked pages: " + marked);
        int base = session.frontEnd().getVringBase(ring.index());
        session.device().start(ring, base, false);
        session.serve();
        session.settle();
        log.take();
        session.serve();
        session.settle();
        Set<Long> without = log.take();
        trial.expect(
                !without.contains(DirtyLog.page(ELSEWHERE)),
                "page " + DirtyLog.page(ELSEWHERE)
                        + " of the ring's previous log address is marked although the ring's log flag is clear");
    }

    private static void offsetInUsedRingCounts(Trial trial) throws Exception {
        Session session = trial.session(DirtyLog.wish(Wish.USUAL));
        DirtyLog log = DirtyLog.of(trial, session, LIMIT);
        RingDriver ring = session.ring();
        // Entries 0 and 1 end in one page, the others are in the next.
        long logAddress = ELSEWHERE + GuestRam.PAGE - 4 - 2 * 8;
        log.share(session);
        session.start();
        int base = session.frontEnd().getVringBase(ring.index());
        DirtyLog.startLogged(session, ring, base, logAddress);
        long first = DirtyLog.page(ELSEWHERE);
        for (int entry = 0; entry < 4; entry++) {
            log.take();
            session.serve();
            session.settle();
            Set<Long> marked = log.take();
            requireMarked(
                    trial,
                    marked,
                    first,
                    "the used index, 2 bytes after log address 0x" + Long.toHexString(logAddress) + ", was written");
            if (entry >= 2) {
                requireMarked(
                        trial,
                        marked,
                        first + 1,
                        "used entry " + entry + ", " + (4 + 8 * entry) + " bytes after log address 0x"
                                + Long.toHexString(logAddress) + ", was written");
            }
        }
    }

    private static void nothingWithoutLogAll(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(DirtyLog.wish(kind.wish()));
        DirtyLog log = DirtyLog.of(trial, session, LIMIT);
        log.running(trial, session, ELSEWHERE);
        session.frontEnd().setFeatures(session.device().features() & ~Features.LOG_ALL);
        session.settle();
        log.take();
        for (int i = 0; i < 3; i++) {
            session.serve();
        }
        session.settle();
        Set<Long> marked = log.take();
        trial.expect(marked.isEmpty(), "pages " + marked + " were marked after SET_FEATURES without LOG_ALL");
        session.frontEnd().setFeatures(session.device().features());
        session.serve();
        session.settle();
        trial.expect(!log.take().isEmpty(), "no page was marked after another SET_FEATURES with LOG_ALL");
    }

    private static void nothingAfterStop(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(DirtyLog.wish(kind.wish()));
        DirtyLog log = DirtyLog.of(trial, session, LIMIT);
        log.running(trial, session, ELSEWHERE);
        session.serve();
        RingDriver ring = session.ring();
        session.stop();
        log.take();
        ring.add(session.request().prepare());
        ring.kickFd().signal();
        byte[] before = session.ram().bytes(0, LIMIT).toArray(ValueLayout.JAVA_BYTE);
        trial.expectNever(() -> !log.isEmpty(), "pages were marked after the rings had been stopped");
        trial.expect(
                session.ram().bytes(0, LIMIT).mismatch(MemorySegment.ofArray(before)) < 0,
                "guest memory was written after the rings had been stopped");
    }
}
