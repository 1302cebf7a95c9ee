package org.exomem.conform.checks.rings;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;

/** A device whose rings are all stopped may only answer messages. */
final class StoppedDeviceChecks {
    /** The check's own guest memory, in bytes. Further memory of a device is not checked. */
    private static final long OWN_MEMORY = 16L << 20;

    static final List<Check> ALL = RingKind.join(
            RingKind.splitAndPacked(
                    "vhost.suspend.1",
                    "While all rings are stopped, no guest memory is written and no notification is sent",
                    StoppedDeviceChecks::isQuiet,
                    "vhost.suspend.2",
                    "vhost.suspend.3"),
            List.of(Check.of(
                    "vhost.suspend.4",
                    "While all rings are stopped, messages are answered",
                    StoppedDeviceChecks::answers)));

    private StoppedDeviceChecks() {}

    private static void isQuiet(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish().wantingProtocol(Protocol.BACKEND_REQ));
        session.serve();
        List<Integer> bases = session.stop();
        session.device().rings().forEach(ring -> ring.callFd().drain());
        boolean hasChannel = session.hasProtocol(Protocol.BACKEND_REQ);
        while (hasChannel && session.device().channel().awaitReadable(Duration.ZERO)) {
            session.device().channel().receive();
        }
        Rings.addAndKick(session);
        session.device().rings().forEach(ring -> ring.kickFd().signal());
        GuestRam ram = session.ram();
        MemorySegment memory = ram.bytes(0, OWN_MEMORY);
        MemorySegment before = MemorySegment.ofArray(memory.toArray(ValueLayout.JAVA_BYTE));
        if (hasChannel) {
            trial.expect(
                    !session.device().channel().awaitReadable(session.limits().quiet()),
                    "the back-end sent an unsolicited message while all rings were stopped");
        }
        trial.expectNever(
                () -> session.device().rings().stream().anyMatch(ring -> Rings.isSignalled(ring.callFd())),
                "the device sent a call while all rings were stopped");
        long written = memory.mismatch(before);
        trial.expect(
                written < 0,
                "guest memory was written at 0x" + Long.toHexString(written) + " while all rings were stopped");
        session.goOn(bases);
        session.ring().kickFd().signal();
        Rings.await(session);
    }

    private static void answers(Trial trial) throws Exception {
        Session session = trial.running(Wish.USUAL);
        RingDriver ring = session.ring();
        session.serve();
        List<Integer> bases = session.stop();
        session.frontEnd().getFeatures();
        session.frontEnd().getProtocolFeatures();
        if (session.hasProtocol(Protocol.MQ)) {
            session.frontEnd().getQueueNum();
        }
        int index = session.device().rings().indexOf(ring);
        int again = session.frontEnd().getVringBase(ring.index());
        trial.expect(
                again == bases.get(index),
                "GET_VRING_BASE of a stopped ring returned " + again + ", but " + bases.get(index) + " before");
        session.goOn(bases);
        session.serve();
    }
}
