package org.exomem.conform.checks.memory;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;

/** Addresses behind an IOMMU: all are I/O virtual addresses, which the front-end's IOTLB messages translate. */
final class IommuChecks {
    private static final int READ_AND_WRITE = 3;
    private static final int UPDATE = 2;
    private static final int MESSAGE_SIZE = 32;
    /** The difference between a region's guest address and the I/O virtual address of the same bytes. */
    private static final long SHIFT = 1L << 40;

    private static final int STATUS_DRIVER_OK = 15;

    static final List<Check> ALL = RingKind.splitAndPacked(
            "vhost.address.2",
            "With ACCESS_PLATFORM, addresses of rings and buffers are translated by the IOTLB",
            IommuChecks::addressesAreTranslated,
            "vhost.memory.5",
            "vhost.memory.6");

    private IommuChecks() {}

    private static void addressesAreTranslated(Trial trial, RingKind kind) throws Exception {
        Wish wish = kind.wish()
                .with(Features.ACCESS_PLATFORM)
                .withProtocol(Protocol.BACKEND_REQ | Protocol.REPLY_ACK)
                .withoutProtocol(Protocol.CONFIGURE_MEM_SLOTS);
        Session session = trial.session(wish);
        session.ring();
        FrontEnd frontEnd = session.frontEnd();
        // No guest address of a region is an address that the driver uses: a back-end that takes I/O virtual addresses
        // for guest addresses finds no memory.
        List<Region> regions = session.device().wireRegions().stream()
                .map(region -> new Region(
                        region.guestAddress() + SHIFT, region.size(), region.userAddress(), region.fileOffset()))
                .toList();
        frontEnd.setMemTable(
                regions,
                regions.stream().map(region -> session.ram().file().fd()).toList());
        for (RingDriver ring : session.device().rings()) {
            frontEnd.setVringNum(ring.index(), ring.size());
            frontEnd.setVringBase(ring.index(), ring.base());
            frontEnd.setVringAddr(ring.guestAddresses(false));
            frontEnd.setVringCall(ring.index(), ring.callFd());
        }
        translate(session);
        for (RingDriver ring : session.device().rings()) {
            frontEnd.setVringKick(ring.index(), ring.kickFd());
            frontEnd.setVringEnable(ring.index(), true);
        }
        if (session.hasProtocol(Protocol.STATUS)) {
            frontEnd.setStatus(STATUS_DRIVER_OK);
        }
        for (int i = 0; i < 3; i++) {
            session.ring().add(session.request().prepare());
            session.ring().kickFd().signal();
            session.verify(await(session));
        }
    }

    /** Waits for a request, and answers the back-end's requests for translations that it has discarded. */
    private static Used await(Session session) throws IOException {
        long end = System.nanoTime() + session.limits().answer().toNanos();
        while (System.nanoTime() < end) {
            Used used = session.ring().poll();
            if (used != null) {
                return used;
            }
            if (session.device().channel().awaitReadable(Duration.ofMillis(1))) {
                answerMiss(session);
            }
        }
        throw new Unmet("a request whose addresses the IOTLB translates was not served within "
                + session.limits().answer().toMillis() + " ms");
    }

    /** Sends the update before the reply to the miss. */
    private static void answerMiss(Session session) throws IOException {
        Connection channel = session.device().channel().connection();
        Reply miss = channel.receive();
        translate(session);
        if ((miss.flags() & Connection.NEED_REPLY) != 0) {
            channel.send(miss.request(), Reply.REPLY_FLAGS, Payload.number(0), List.of());
        }
    }

    private static void translate(Session session) throws IOException {
        for (Region region : session.device().wireRegions()) {
            session.frontEnd()
                    .command(
                            Request.IOTLB_MSG,
                            ByteBuffer.allocate(MESSAGE_SIZE)
                                    .order(ByteOrder.nativeOrder())
                                    .putLong(region.guestAddress())
                                    .putLong(region.size())
                                    .putLong(region.userAddress())
                                    .put((byte) READ_AND_WRITE)
                                    .put((byte) UPDATE)
                                    .array());
        }
    }
}
