package org.exomem.conform.checks.config;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.RingDriver;

/** The feature SUSPEND. */
final class SuspendChecks {
    private static final int DRIVER_OK = 4;
    private static final int FEATURES_OK = 1 | 2 | 8;
    private static final int SUSPEND = 16;
    private static final int REQUESTS = 8;
    private static final int BALLOON_ACTUAL = 4;

    static final List<Check> ALL = List.of(
            Check.of("suspend.7", "SUSPEND is ignored before DRIVER_OK", SuspendChecks::ignoredBeforeDriverOk),
            Check.of(
                    "suspend.12",
                    "The device suspends when the driver requests it, or needs a reset",
                    trial -> suspended(trial)),
            Check.of(
                    "suspend.14",
                    "The device has used all buffers that it took before it sets SUSPEND",
                    SuspendChecks::usedBeforeItIsShown),
            Check.of(
                    "suspend.9",
                    "A suspended device processes no queue and sends no calls",
                    SuspendChecks::queuesAreLeftAlone),
            Check.of(
                            "suspend.8",
                            "A suspended balloon ignores writes to its config space",
                            SuspendChecks::configWritesAreIgnored)
                    .on(DeviceType.BALLOON),
            Check.of("suspend.13", "A suspended device resumes at DRIVER_OK, or needs a reset", SuspendChecks::goesOn));

    private SuspendChecks() {}

    private static Wish wish() {
        return Wish.USUAL.with(Features.SUSPEND).withProtocol(Protocol.STATUS);
    }

    private static void ignoredBeforeDriverOk(Trial trial) throws IOException {
        FrontEnd frontEnd = trial.session(wish()).frontEnd();
        frontEnd.setStatus(FEATURES_OK | SUSPEND);
        int status = frontEnd.getStatus();
        trial.expect((status & SUSPEND) == 0, "the status is 0x" + Integer.toHexString(status) + " before DRIVER_OK");
    }

    private static Session suspended(Trial trial) throws IOException {
        Session session = trial.running(wish());
        session.serve();
        suspend(trial, session);
        return session;
    }

    private static void suspend(Trial trial, Session session) throws IOException {
        session.frontEnd().setStatus(FEATURES_OK | DRIVER_OK | SUSPEND);
        int status = awaitStatus(trial, session.frontEnd(), SUSPEND, DRIVER_OK);
        if ((status & BadChain.NEEDS_RESET) != 0) {
            throw new Skipped("the device sets DEVICE_NEEDS_RESET instead of SUSPEND, which is allowed");
        }
    }

    /** Waits until the status has one bit and not the other, or DEVICE_NEEDS_RESET, and returns it. */
    private static int awaitStatus(Trial trial, FrontEnd frontEnd, int set, int unset) throws IOException {
        long end = System.nanoTime() + trial.limits().answer().toNanos();
        while (true) {
            int status = frontEnd.getStatus();
            if ((status & (set | unset)) == set || (status & BadChain.NEEDS_RESET) != 0) {
                return status;
            }
            if (System.nanoTime() > end) {
                throw new Unmet("the status stays 0x" + Integer.toHexString(status) + "; expected was bit 0x"
                        + Integer.toHexString(set) + " without 0x" + Integer.toHexString(unset));
            }
        }
    }

    private static void usedBeforeItIsShown(Trial trial) throws IOException {
        Session session = trial.running(wish());
        RingDriver ring = session.ring();
        for (int i = 0; i < REQUESTS; i++) {
            ring.add(session.request().prepare());
        }
        ring.kick();
        suspend(trial, session);
        while (ring.poll() != null) {
            // Discards the buffers that were used before.
        }
        trial.expectNever(() -> ring.poll() != null, "the device used a buffer after it had set SUSPEND");
    }

    private static void queuesAreLeftAlone(Trial trial) throws IOException {
        Session session = suspended(trial);
        RingDriver ring = session.ring();
        ring.callFd().drain();
        ring.add(session.request().prepare());
        ring.kickFd().signal();
        trial.expectNever(
                () -> ring.poll() != null || ring.callFd().drain(),
                "the suspended device served a request or sent a call");
    }

    private static void configWritesAreIgnored(Trial trial) throws IOException {
        Session session = trial.running(wish().withProtocol(Protocol.CONFIG));
        byte[] before = session.frontEnd().getConfig(BALLOON_ACTUAL, Integer.BYTES);
        suspend(trial, session);
        byte[] other = before.clone();
        other[0] ^= 1;
        session.frontEnd().setConfig(BALLOON_ACTUAL, other);
        trial.expect(
                session.frontEnd().getConfig(BALLOON_ACTUAL, Integer.BYTES)[0] == before[0],
                "the field actual was changed while the device was suspended");
    }

    private static void goesOn(Trial trial) throws IOException {
        Session session = suspended(trial);
        session.frontEnd().setStatus(FEATURES_OK | DRIVER_OK | SUSPEND);
        int status = awaitStatus(trial, session.frontEnd(), DRIVER_OK, SUSPEND);
        if ((status & BadChain.NEEDS_RESET) == 0) {
            session.serve();
        }
    }
}
