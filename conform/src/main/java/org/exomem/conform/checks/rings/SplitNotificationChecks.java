package org.exomem.conform.checks.rings;

import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;

/** When a split ring's driver and device are notified: flags, used_event and avail_event. */
final class SplitNotificationChecks {
    private static final int NO_NOTIFICATION = 1;
    private static final String NO_CALL =
            "the device sent no call, though the available ring's flags were 0 without EVENT_IDX";

    static final List<Check> ALL = RingKind.join(
            List.of(
                    Check.of(
                                    "ring.split.interrupt.6",
                                    "Without EVENT_IDX the device sends calls, whatever used_event contains",
                                    SplitNotificationChecks::usedEventIsIgnored)
                            .and("ring.split.interrupt.8"),
                    Check.of(
                            "ring.split.interrupt.7",
                            "Without EVENT_IDX the device sends no calls while the flags of the available ring are 1",
                            SplitNotificationChecks::noCallWithFlag),
                    Check.of(
                            "ring.split.interrupt.9",
                            "With EVENT_IDX the device sends calls, whatever the flags of the available ring are",
                            SplitNotificationChecks::flagIsIgnored),
                    Check.of(
                                    "ring.split.interrupt.10",
                                    "With EVENT_IDX the device sends a call when used_event is reached, and not before",
                                    trial -> callsAtUsedEvent(trial, 0))
                            .and("ring.split.interrupt.11"),
                    Check.of(
                                    "ring.split.interrupt.10",
                                    "With EVENT_IDX the device sends a call when used_event is reached where the"
                                            + " index wraps around",
                                    trial -> callsAtUsedEvent(trial, 0xfffd))
                            .and("ring.split.interrupt.11"),
                    Check.of(
                                    "ring.split.kick.8",
                                    "Without EVENT_IDX the flags of the used ring are 0 or 1, and all requests of a"
                                            + " driver that obeys them are served",
                                    trial -> flagsOfUsedRing(trial, RingKind.SPLIT, NO_NOTIFICATION))
                            .and("ring.split.kick.9"),
                    Check.of(
                                    "ring.split.kick.10",
                                    "With EVENT_IDX the flags of the used ring are 0, and all requests of a driver"
                                            + " that obeys avail_event are served",
                                    trial -> flagsOfUsedRing(trial, RingKind.SPLIT_EVENTS, 0))
                            .and("ring.split.kick.11")),
            RingKind.each("ring.split.kick.12", "Spurious kicks are tolerated", NotificationChecks::spuriousKicks));

    private SplitNotificationChecks() {}

    private static void usedEventIsIgnored(Trial trial) throws Exception {
        Session session = trial.running(RingKind.SPLIT.wish());
        RingDriver ring = session.ring();
        session.serve();
        for (int event : new int[] {0, 0x7777, 0xffff}) {
            Rings.setUsedEvent(ring, session.ram(), event);
            requireCall(trial, session, NO_CALL + " and used_event was 0x" + Integer.toHexString(event));
        }
    }

    private static void noCallWithFlag(Trial trial) throws Exception {
        Session session = trial.running(RingKind.SPLIT.wish());
        RingDriver ring = session.ring();
        session.serve();
        Rings.setAvailableFlags(ring, session.ram(), NO_NOTIFICATION);
        session.settle();
        ring.callFd().drain();
        Rings.addAndKick(session);
        Rings.awaitPolling(trial, session, "a request was not served while the available ring's flags were 1");
        trial.expectNever(
                () -> Rings.isSignalled(ring.callFd()),
                "the device sent a call while the available ring's flags were 1");
        Rings.setAvailableFlags(ring, session.ram(), 0);
        requireCall(trial, session, NO_CALL);
    }

    private static void flagIsIgnored(Trial trial) throws Exception {
        Session session = trial.running(RingKind.SPLIT_EVENTS.wish());
        RingDriver ring = session.ring();
        session.serve();
        Rings.setAvailableFlags(ring, session.ram(), NO_NOTIFICATION);
        ring.resumeCalls();
        requireCall(
                trial,
                session,
                "with EVENT_IDX, the device sent no call for the entry of used_event while the available ring's"
                        + " flags were 1");
    }

    private static void requireCall(Trial trial, Session session, String otherwise) throws Exception {
        RingDriver ring = session.ring();
        ring.callFd().drain();
        Rings.addAndKick(session);
        trial.expect(Rings.isSignalled(ring.callFd(), session.limits().answer()), otherwise);
        Rings.awaitPolling(trial, session, "the device sent a call, but used no buffer");
    }

    private static void callsAtUsedEvent(Trial trial, int begin) throws Exception {
        Session session = trial.session(RingKind.SPLIT_EVENTS.wish());
        RingDriver ring = session.ring();
        GuestRam ram = session.ram();
        ring.beginAt(begin);
        session.start();
        // The first request: a device that has not called yet may call unasked.
        session.serve();
        ring.suppressCalls();
        int event = begin + 3;
        Rings.setUsedEvent(ring, ram, event);
        session.settle();
        ring.callFd().drain();
        for (int i = 0; i < 2; i++) {
            Rings.addAndKick(session);
            Rings.awaitPolling(trial, session, "a request was not served");
        }
        trial.expectNever(
                () -> Rings.isSignalled(ring.callFd()),
                "the device sent a call when used entries " + ((begin + 1) & 0xffff) + " and " + ((begin + 2) & 0xffff)
                        + " were written, but used_event was " + (event & 0xffff));
        Rings.addAndKick(session);
        trial.expect(
                Rings.isSignalled(ring.callFd(), session.limits().answer()),
                "the device sent no call when used entry " + (event & 0xffff) + " was written, which used_event names");
        Rings.awaitPolling(trial, session, "the device sent a call, but used no buffer");
        ring.callFd().drain();
        Rings.addAndKick(session);
        Rings.awaitPolling(trial, session, "a request was not served");
        trial.expectNever(
                () -> Rings.isSignalled(ring.callFd()),
                "the device sent a call when used entry " + ((event + 1) & 0xffff) + " was written, but used_event was "
                        + (event & 0xffff));
    }

    private static void flagsOfUsedRing(Trial trial, RingKind kind, int allowed) throws Exception {
        Session session = trial.running(kind.wish());
        requireFlags(trial, session, allowed);
        session.serve();
        requireFlags(trial, session, allowed);
        NotificationChecks.kickOnlyWhenAsked(trial, session);
        requireFlags(trial, session, allowed);
    }

    private static void requireFlags(Trial trial, Session session, int allowed) {
        int flags = Rings.usedFlags(session.ring(), session.ram());
        trial.expect(
                (flags & ~allowed) == 0,
                "the used ring's flags are 0x" + Integer.toHexString(flags) + ", but only 0 "
                        + (allowed == 0 ? "is" : "or " + allowed + " are") + " allowed");
    }
}
