package org.exomem.conform.checks.memory;

import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.MovedRequest;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/** How addresses are translated. */
final class AddressChecks {
    private static final long MIB = 1 << 20;
    private static final long FIRST = 0;
    private static final long SECOND = 4 * MIB;
    /** There is a hole between the second region and this one. */
    private static final long THIRD = 12 * MIB;

    static final List<Check> ALL = RingKind.join(
            RingKind.splitAndPacked(
                    "vhost.address.6",
                    "A ring is accessed in whichever region contains its user addresses",
                    AddressChecks::ringInEachRegion,
                    "vhost.memory.3",
                    "vhost.vring.2"),
            List.of(
                    Check.of(
                            "vhost.memory.4",
                            "Buffers are accessed in whichever region contains their guest addresses",
                            AddressChecks::buffersInEachRegion),
                    Check.of(
                            "vhost.memory.4",
                            "A buffer that spans two regions is accessed in both",
                            AddressChecks::bufferAcrossRegions)),
            RingKind.splitAndPacked(
                    "vhost.address.4",
                    "With GPA_ADDRESSES a ring is accessed at its guest addresses",
                    AddressChecks::guestAddresses));

    private AddressChecks() {}

    /**
     * Three regions whose order by guest address differs from their order in the file and by user address: no constant
     * offset translates all addresses. The table lists them in the order of guest addresses, which some back-ends
     * require.
     */
    private static GuestRam threeRegions(Trial trial) throws Exception {
        return trial.closeLater(GuestRam.ofLayout(trial.memoryWith(THIRD, 2 * MIB, SECOND, 4 * MIB, FIRST, 4 * MIB)));
    }

    private static void ringInEachRegion(Trial trial, RingKind kind) throws Exception {
        for (long region : new long[] {FIRST, SECOND, THIRD}) {
            GuestRam ram = threeRegions(trial);
            ram.allocateFrom(region);
            Session session = trial.session(kind.wish(), ram).start();
            session.serve();
            session.device().close();
        }
    }

    private static void guestAddresses(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(kind.wish().withProtocol(Protocol.GPA_ADDRESSES), threeRegions(trial))
                .start();
        session.serve();
        serveAt(session, THIRD + MIB);
    }

    private static void buffersInEachRegion(Trial trial) throws Exception {
        Session session = trial.session(Wish.USUAL, threeRegions(trial)).start();
        for (long region : new long[] {FIRST, SECOND, THIRD}) {
            serveAt(session, region + MIB);
        }
    }

    private static void bufferAcrossRegions(Trial trial) throws Exception {
        Session session = trial.session(Wish.USUAL, threeRegions(trial)).start();
        long size = session.request().prepare().stream()
                .mapToLong(buffer -> buffer.length())
                .sum();
        for (long before = 1; before < size; before++) {
            serveAt(session, SECOND - before);
        }
    }

    /** Serves a request whose buffers are contiguous from an address on. */
    static void serveAt(Session session, long address) throws Exception {
        MovedRequest moved = MovedRequest.to(session.ram(), session.request().prepare(), address);
        Used used = session.ring().transfer(moved.buffers(), session.limits().answer());
        moved.bringBack();
        session.verify(used);
    }
}
