package org.exomem.conform.checks.config;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.RingDriver;

/** The device status. */
final class StatusChecks {
    private static final int DRIVER = 1 | 2;
    private static final int FEATURES_OK = DRIVER | 8;
    private static final int DRIVER_OK = FEATURES_OK | 4;

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.status.2",
                    "The status has the bits that the driver set, and the device operates after DRIVER_OK",
                    StatusChecks::statusIsKept),
            Check.of(
                    "status.5",
                    "Before its rings are started the device takes no buffers and sends no calls",
                    StatusChecks::nothingBeforeTheStart),
            Check.of(
                    "status.6",
                    "After an invalid chain the device continues, or sets DEVICE_NEEDS_RESET",
                    StatusChecks::needsResetIsTold),
            Check.of(
                    "status.7",
                    "A device that needs a reset sends a configuration change notification",
                    StatusChecks::needsResetIsNotified));

    private StatusChecks() {}

    private static void statusIsKept(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.STATUS));
        FrontEnd frontEnd = session.frontEnd();
        expectStatus(trial, frontEnd, FEATURES_OK);
        if (trial.sample().isEmpty()) {
            return;
        }
        session.start();
        expectStatus(trial, frontEnd, DRIVER_OK);
        session.serve();
        frontEnd.setStatus(0);
        expectStatus(trial, frontEnd, 0);
        frontEnd.setStatus(DRIVER);
        expectStatus(trial, frontEnd, DRIVER);
    }

    private static void expectStatus(Trial trial, FrontEnd frontEnd, int expected) throws IOException {
        int status = frontEnd.getStatus();
        trial.expect(
                status == expected,
                "the status was set to 0x" + Integer.toHexString(expected) + ", but reads as 0x"
                        + Integer.toHexString(status));
    }

    /**
     * Over vhost-user, a ring starts when it receives its kick descriptor (section "Ring states"). DRIVER_OK alone is
     * no proof, because QEMU sends it for some of its devices only.
     */
    private static void nothingBeforeTheStart(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL);
        RingDriver ring = session.ring();
        FrontEnd frontEnd = session.frontEnd();
        int index = ring.index();
        ring.add(session.request().prepare());
        frontEnd.setVringNum(index, ring.size());
        frontEnd.setVringBase(index, 0);
        frontEnd.setVringAddr(ring.addresses(false));
        frontEnd.setVringCall(index, ring.callFd());
        if (session.has(Features.PROTOCOL_FEATURES)) {
            frontEnd.setVringEnable(index, true);
        }
        session.settle();
        // Some back-ends call once when they receive the descriptor, which is harmless.
        ring.callFd().drain();
        trial.expectNever(
                () -> ring.callFd().drain() || ring.poll() != null,
                "the device took a buffer or sent a call before DRIVER_OK and before its ring was started");
    }

    private static void needsResetIsTold(Trial trial) throws IOException {
        Session session = BadChain.session(trial);
        BadChain.send(session);
        switch (BadChain.effect(trial, session)) {
            case NONE -> trial.transcript().say("the device skipped the invalid chain");
            case NEEDS_RESET -> trial.transcript().say("the device needs a reset");
            case STUCK ->
                throw new Unmet(
                        "after a chain that begins with descriptor 65535 the device serves no more requests, but"
                                + " DEVICE_NEEDS_RESET is not set in its status");
            case CLOSED -> trial.refused("a chain that begins with descriptor 65535");
        }
    }

    private static void needsResetIsNotified(Trial trial) throws IOException {
        Session session = BadChain.session(trial);
        if (!session.hasProtocol(Protocol.BACKEND_REQ | Protocol.CONFIG)) {
            throw new Skipped("the back-end does not offer BACKEND_REQ and CONFIG");
        }
        BadChain.send(session);
        if (BadChain.effect(trial, session) != BadChain.Effect.NEEDS_RESET) {
            throw new Skipped("the device does not enter a state that needs a reset");
        }
        trial.expect(
                session.device().channel().awaitReadable(trial.limits().answer()),
                "the device has set DEVICE_NEEDS_RESET, but sent nothing within "
                        + trial.limits().answer().toMillis() + " ms");
        int request = session.device().channel().receive().request();
        trial.expect(
                request == Request.BackEnd.CONFIG_CHANGE,
                "the device has set DEVICE_NEEDS_RESET, but sent request " + request
                        + ", not BACKEND_CONFIG_CHANGE_MSG");
    }
}
