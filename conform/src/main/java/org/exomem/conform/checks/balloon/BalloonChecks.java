package org.exomem.conform.checks.balloon;

import static org.exomem.conformance.guest.BalloonFeatures.FREE_PAGE_HINT;
import static org.exomem.conformance.guest.BalloonFeatures.MUST_TELL_HOST;
import static org.exomem.conformance.guest.BalloonFeatures.PAGE_POISON;
import static org.exomem.conformance.guest.BalloonFeatures.PAGE_REPORTING;
import static org.exomem.conformance.guest.BalloonFeatures.STATS_VQ;

import java.io.IOException;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.EventFd;
import org.exomem.linux.Poll;

/**
 * The balloon (VIRTIO 5.5). A driver can't make the host request a size, hints or statistics. Checks that need such a
 * request are skipped if none comes.
 */
public final class BalloonChecks {
    /** The same value in every byte of a page, so that the position of the word does not matter. */
    private static final int POISON = 0xaa;

    public static final List<Check> ALL = List.of(
            balloon(
                    "balloon.feature.4",
                    "a driver without MUST_TELL_HOST is served or refused",
                    BalloonChecks::withoutTelling),
            balloon(
                    "balloon.pages.13",
                    "pages keep what the guest writes after the inflate request was used",
                    BalloonChecks::keptAfterInflate),
            balloon(
                    "balloon.pages.14",
                    "with MUST_TELL_HOST, pages keep what is written after the deflate request was used",
                    BalloonChecks::keptAfterDeflate),
            balloon(
                            "balloon.pages.13",
                            "pages next to those of an inflate request keep their content",
                            BalloonChecks::neighboursAreKept)
                    .and("balloon.pages.14"),
            balloon(
                    "balloon.stats.9",
                    "statistics with unknown tags are accepted",
                    trial -> statistics(trial, unknownTags())),
            balloon(
                    "balloon.stats.10",
                    "statistics in any order are accepted",
                    trial -> statistics(trial, backwards())),
            balloon(
                    "balloon.hint.13",
                    "hints with another command id than the current one change no page",
                    BalloonChecks::staleHints),
            balloon("balloon.hint.12", "a command id is not repeated before STOP", BalloonChecks::idsDoNotComeAgain),
            balloon(
                    "balloon.hint.14",
                    "a page that was written after the command id was set keeps its content",
                    BalloonChecks::writtenPagesAreKept),
            balloon(
                    "balloon.hint.15",
                    "hinted pages are not changed when the command id is DONE",
                    BalloonChecks::keptWhenDone),
            balloon(
                    "balloon.report.7",
                    "pages keep what the guest writes after the report was used",
                    BalloonChecks::keptAfterReport),
            balloon(
                    "balloon.report.8",
                    "with PAGE_POISON, reported pages are filled with poison_val",
                    trial -> poisoned(trial, POISON)),
            balloon(
                    "balloon.report.8",
                    "with PAGE_POISON, reported pages are zeros if poison_val is 0",
                    trial -> poisoned(trial, 0)));

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private static final int FEATURES_OK = 8;
    private static final int STATISTICS_QUEUE = 2;
    private static final int BEFORE = 0x11;
    private static final int AFTER = 0x22;
    private static final int EVERY_BYTE = 0x0101_0101;

    private BalloonChecks() {}

    private static Check balloon(String requirement, String name, Check.Body body) {
        return Check.of(requirement, name, body).on(DeviceType.BALLOON);
    }

    private static void withoutTelling(Trial trial) throws Exception {
        FrontEnd frontEnd = trial.connect();
        trial.requireFeatures(frontEnd.getFeatures(), MUST_TELL_HOST);
        try {
            BalloonSession session = BalloonSession.start(trial, frontEnd, 0);
            if ((frontEnd.protocolFeatures() & Protocol.STATUS) != 0 && (frontEnd.getStatus() & FEATURES_OK) == 0) {
                trial.refused("a driver that did not accept MUST_TELL_HOST");
                return;
            }
            session.expectServed();
        } catch (RequestRefusedException e) {
            trial.refused("a driver that did not accept MUST_TELL_HOST");
        } catch (IOException e) {
            if (!Closing.is(e)) {
                throw e;
            }
            trial.refused("a driver that did not accept MUST_TELL_HOST");
        }
    }

    // Pages

    private static void keptAfterInflate(Trial trial) throws Exception {
        BalloonSession session = BalloonSession.start(trial, 0);
        session.write(BEFORE, 1, 2);
        session.driver().inflatePages(session.pfn(1), session.pfn(2));
        session.write(AFTER, 1, 2);
        session.expectKept(AFTER, "after the inflate request was used, without MUST_TELL_HOST", 1, 2);
        session.driver().deflatePages(session.pfn(1), session.pfn(2));
        session.expectKept(AFTER, "by a deflate request, without MUST_TELL_HOST", 1, 2);
    }

    private static void keptAfterDeflate(Trial trial) throws Exception {
        BalloonSession session = BalloonSession.start(trial, MUST_TELL_HOST);
        session.write(BEFORE, 1, 2);
        session.driver().inflatePages(session.pfn(1), session.pfn(2));
        session.driver().deflatePages(session.pfn(1), session.pfn(2));
        session.write(AFTER, 1, 2);
        session.expectKept(AFTER, "after the deflate request was used", 1, 2);
    }

    private static void neighboursAreKept(Trial trial) throws Exception {
        BalloonSession session = BalloonSession.start(trial, 0);
        session.write(BEFORE, 0, 1, 2, 3, 4);
        session.driver().inflatePages(session.pfn(3), session.pfn(1));
        session.expectKept(BEFORE, "when pages next to it were put into the balloon", 0, 2, 4);
        session.driver().deflatePages(session.pfn(3), session.pfn(1));
        session.expectKept(BEFORE, "when pages next to it were taken out of the balloon", 0, 2, 4);
    }

    // Statistics

    private static Map<Integer, Long> unknownTags() {
        Map<Integer, Long> values = new LinkedHashMap<>();
        values.put(0x7fff, -1L);
        values.put(4, 1L << 20);
        values.put(200, 7L);
        values.put(5, 16L << 20);
        values.put(0xffff, 0L);
        return values;
    }

    private static Map<Integer, Long> backwards() {
        Map<Integer, Long> values = new LinkedHashMap<>();
        for (int tag = 9; tag >= 0; tag--) {
            values.put(tag, (long) tag << 12);
        }
        return values;
    }

    /**
     * The device keeps the buffer until it wants new values, at a time that the driver can't know. It must accept any
     * values.
     */
    private static void statistics(Trial trial, Map<Integer, Long> values) throws Exception {
        BalloonSession session = BalloonSession.start(trial, STATS_VQ);
        EventFd error = trial.closeLater(new EventFd());
        session.device().frontEnd().setVringErr(STATISTICS_QUEUE, error);
        session.driver().offerStatistics(values);
        for (int i = 0; i < 2; i++) {
            if (requested(trial, session)) {
                session.driver().offerStatistics(values);
            }
        }
        session.expectServed();
        trial.expect(
                !Poll.readable(error.fd(), trial.limits().quiet()),
                "the back-end reported an error of the statistics queue after values with tags " + values.keySet());
    }

    private static boolean requested(Trial trial, BalloonSession session) throws IOException {
        long end = System.nanoTime() + trial.limits().quiet().toNanos();
        while (System.nanoTime() < end) {
            if (session.driver().statisticsAreRequested()) {
                return true;
            }
        }
        return false;
    }

    // Hints

    private static void staleHints(Trial trial) throws Exception {
        BalloonSession session = BalloonSession.start(trial, FREE_PAGE_HINT);
        session.write(BEFORE, 0, 1, 2);
        // An id that the host has not shown.
        int stale = session.driver().commandId() ^ 0x1234_5678;
        RingDriver ring = session.device().rings().get(2);
        long command = session.device().ram().allocate(Integer.BYTES, Integer.BYTES);
        session.device().ram().putInt(command, stale);
        ring.add(List.of(Buffer.readable(command, Integer.BYTES)));
        ring.add(List.of(Buffer.writable(session.page(0), 3 * GuestRam.PAGE)));
        ring.kick();
        session.expectKept(
                BEFORE,
                "by a hint with command id 0x" + Integer.toHexString(stale) + ", which is not the current one",
                0,
                1,
                2);
        session.expectServed();
    }

    private static void idsDoNotComeAgain(Trial trial) throws Exception {
        BalloonSession session = BalloonSession.start(trial, FREE_PAGE_HINT);
        int shown = session.awaitCommandId();
        session.driver().sendCommand(shown);
        session.driver().hint(session.page(0), GuestRam.PAGE, GuestRam.PAGE);
        Set<Integer> past = new HashSet<>();
        long end = System.nanoTime() + trial.limits().quiet().toNanos();
        while (System.nanoTime() < end) {
            int now = session.driver().commandId();
            trial.expect(
                    !past.contains(now) || now == 0 || now == 1,
                    "command id 0x" + Integer.toHexString(now)
                            + " is set again, although the driver has not sent STOP");
            if (now != shown) {
                past.add(shown);
                shown = now;
            }
        }
        session.driver().endHinting();
    }

    private static void writtenPagesAreKept(Trial trial) throws Exception {
        BalloonSession session = BalloonSession.start(trial, FREE_PAGE_HINT);
        int id = session.awaitCommandId();
        session.driver().sendCommand(id);
        session.write(AFTER, 0, 1);
        session.driver().hint(session.page(0), 2 * GuestRam.PAGE, GuestRam.PAGE);
        session.expectKept(AFTER, "although the guest had written it after the command id was set", 0, 1);
        session.driver().endHinting();
    }

    private static void keptWhenDone(Trial trial) throws Exception {
        BalloonSession session = BalloonSession.start(trial, FREE_PAGE_HINT);
        session.write(BEFORE, 0, 1);
        int id = session.awaitCommandId();
        session.driver().sendCommand(id);
        session.driver().hint(session.page(0), 2 * GuestRam.PAGE, GuestRam.PAGE);
        session.driver().endHinting();
        int shown = session.awaitOther(id, 0);
        if (shown != 1) {
            throw new Skipped("the host does not end the hinting session: the command id is 0x"
                    + Integer.toHexString(shown) + ", not DONE");
        }
        session.write(AFTER, 0, 1);
        session.expectKept(AFTER, "when the command id was DONE", 0, 1);
    }

    // Reports

    private static void keptAfterReport(Trial trial) throws Exception {
        BalloonSession session = BalloonSession.start(trial, PAGE_REPORTING);
        session.write(BEFORE, 0, 1, 2, 3);
        session.driver().report(session.page(1), 2 * GuestRam.PAGE, 2 * GuestRam.PAGE);
        session.write(AFTER, 1, 2);
        session.expectKept(AFTER, "after the report was used", 1, 2);
        session.expectKept(BEFORE, "by a report of pages next to it", 0, 3);
    }

    private static void poisoned(Trial trial, int poison) throws Exception {
        BalloonSession session = BalloonSession.start(trial, PAGE_REPORTING | PAGE_POISON);
        session.driver().writePoison(poison * EVERY_BYTE);
        session.write(poison, 0, 1, 2);
        session.driver().report(session.page(0), 3 * GuestRam.PAGE, 3 * GuestRam.PAGE);
        session.expectKept(poison, "by a report, to a value other than poison_val", 0, 1, 2);
    }
}
