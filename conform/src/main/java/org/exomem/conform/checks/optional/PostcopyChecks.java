package org.exomem.conform.checks.optional;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PageGiver;
import org.exomem.linux.Poll;
import org.exomem.linux.Userfaultfd;

/** Postcopy migration (PAGEFAULT). The memory is shared after POSTCOPY_LISTEN, as QEMU does it. */
final class PostcopyChecks {
    private static final long RAM = 16L << 20;
    private static final int TABLE_HEADER = 8;
    private static final int USER_ADDRESS = 16;

    static final List<Check> ALL = List.of(
            Check.of(
                            "vhost.answer.28",
                            "POSTCOPY_ADVISE is answered with a userfaultfd",
                            PostcopyChecks::adviseBringsAUserfaultfd)
                    .and("vhost.postcopy.10"),
            Check.of(
                            "vhost.postcopy.4",
                            "After POSTCOPY_LISTEN, SET_MEM_TABLE is answered although no reply was requested",
                            PostcopyChecks::memoryTableIsAnswered)
                    .and("vhost.answer.5", "vhost.payload.13"),
            Check.of(
                            "vhost.postcopy.6",
                            "No page is accessed before the front-end has acknowledged the answer to SET_MEM_TABLE",
                            PostcopyChecks::nothingIsTouchedBeforeTheAcknowledgement)
                    .and("vhost.postcopy.5", "vhost.postcopy.8"),
            Check.of(
                            "vhost.postcopy.16",
                            "After POSTCOPY_LISTEN, ADD_MEM_REG is answered with the region as the back-end mapped it",
                            PostcopyChecks::addedRegionIsAnswered)
                    .and("vhost.answer.37"),
            Check.of(
                    "vhost.postcopy.11",
                    "After POSTCOPY_LISTEN, the front-end can place pages in the back-end's mapping of shared memory",
                    PostcopyChecks::memoryIsWatched),
            Check.of("vhost.answer.30", "POSTCOPY_END is answered with 0", PostcopyChecks::endIsAnswered)
                    .and("vhost.postcopy.15"),
            Check.of(
                    "vhost.postcopy.14",
                    "After POSTCOPY_END the userfaultfd has no registered range",
                    PostcopyChecks::nothingIsWatchedAtTheEnd));

    private PostcopyChecks() {}

    private static FrontEnd negotiated(Trial trial, long wanted) throws IOException {
        FrontEnd frontEnd = trial.connect();
        long offered = frontEnd.getFeatures();
        trial.requireFeatures(offered, Features.PROTOCOL_FEATURES);
        long needed = Protocol.PAGEFAULT | Protocol.REPLY_ACK | wanted;
        trial.requireProtocol(frontEnd.getProtocolFeatures(), needed);
        try {
            Userfaultfd.make().close();
        } catch (LinuxException e) {
            throw new Skipped("this host does not allow a userfaultfd: " + e.getMessage());
        }
        // With REPLY_ACK, since back-ends answer POSTCOPY_LISTEN anyway. The requests under test are sent without
        // need-reply.
        frontEnd.setProtocolFeatures(needed);
        frontEnd.setOwner();
        frontEnd.setFeatures(offered & (Features.VERSION_1 | Features.PROTOCOL_FEATURES));
        return frontEnd;
    }

    private static Fd advise(Trial trial, FrontEnd frontEnd) throws IOException {
        frontEnd.send(Request.POSTCOPY_ADVISE, Connection.VERSION, Payload.none(), List.of());
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(trial::closeLater);
        trial.expect(
                reply.request() == Request.POSTCOPY_ADVISE && reply.fds().size() == 1,
                "POSTCOPY_ADVISE was answered with a reply to request " + reply.request() + " and "
                        + reply.fds().size() + " descriptors");
        return reply.fds().getFirst();
    }

    private static void adviseBringsAUserfaultfd(Trial trial) throws IOException {
        String kind = advise(trial, negotiated(trial, 0)).description();
        trial.expect(
                kind.contains("userfaultfd"),
                "the descriptor in the answer to POSTCOPY_ADVISE is " + kind + ", not a userfaultfd");
    }

    private static Reply shareMemory(Trial trial, FrontEnd frontEnd) throws IOException {
        frontEnd.command(Request.POSTCOPY_LISTEN, Payload.none());
        GuestRam ram = trial.closeLater(GuestRam.ofSize(RAM));
        frontEnd.send(
                Request.SET_MEM_TABLE,
                Connection.VERSION,
                Payload.regions(ram.regions()),
                List.of(ram.file().fd()));
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(Fd::close);
        return reply;
    }

    private static void memoryTableIsAnswered(Trial trial) throws IOException {
        FrontEnd frontEnd = negotiated(trial, 0);
        advise(trial, frontEnd);
        Reply reply = shareMemory(trial, frontEnd);
        trial.expect(
                reply.request() == Request.SET_MEM_TABLE
                        && reply.payload().length >= TABLE_HEADER + Payload.REGION_SIZE
                        && reply.buffer().getInt(0) == 1,
                "SET_MEM_TABLE of one region was answered with a reply to request " + reply.request() + ", "
                        + reply.payload().length + " bytes");
        expectAddress(trial, reply);
    }

    private static void expectAddress(Trial trial, Reply reply) {
        long address = reply.buffer().getLong(TABLE_HEADER + USER_ADDRESS);
        trial.expect(
                address != 0 && address % GuestRam.PAGE == 0,
                "0x" + Long.toHexString(address) + " was reported as the address of the back-end's mapping");
    }

    private static void nothingIsTouchedBeforeTheAcknowledgement(Trial trial) throws IOException {
        FrontEnd frontEnd = negotiated(trial, 0);
        Fd faults = advise(trial, frontEnd);
        faults.setNonBlocking();
        shareMemory(trial, frontEnd);
        trial.expect(
                !Poll.readable(faults, trial.limits().quiet()),
                "the back-end accessed a missing page before its answer was acknowledged");
        acknowledge(frontEnd);
    }

    /** An empty table, as QEMU sends it. */
    private static void acknowledge(FrontEnd frontEnd) throws IOException {
        frontEnd.send(Request.SET_MEM_TABLE, Connection.VERSION, Payload.number(0), List.of());
    }

    private static void addedRegionIsAnswered(Trial trial) throws IOException {
        FrontEnd frontEnd = negotiated(trial, Protocol.CONFIGURE_MEM_SLOTS);
        advise(trial, frontEnd);
        frontEnd.command(Request.POSTCOPY_LISTEN, Payload.none());
        GuestRam ram = trial.closeLater(GuestRam.ofSize(RAM));
        Region region = ram.regions().getFirst();
        frontEnd.send(
                Request.ADD_MEM_REG,
                Connection.VERSION,
                Payload.region(region),
                List.of(ram.file().fd()));
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(Fd::close);
        trial.expect(
                reply.request() == Request.ADD_MEM_REG && reply.payload().length >= TABLE_HEADER + Payload.REGION_SIZE,
                "ADD_MEM_REG was answered with a reply to request " + reply.request() + ", " + reply.payload().length
                        + " bytes");
        expectAddress(trial, reply);
    }

    /**
     * Places a page at a user address of the table. Returns its bytes, or a negative error number if that memory is not
     * registered.
     */
    private static long givePage(Fd userfaultfd, Reply table, int page) {
        long address = table.buffer().getLong(TABLE_HEADER + USER_ADDRESS);
        return new PageGiver(userfaultfd).zeros(address + page * GuestRam.PAGE, GuestRam.PAGE);
    }

    private static Reply shareAndAcknowledge(Trial trial, FrontEnd frontEnd) throws IOException {
        Reply reply = shareMemory(trial, frontEnd);
        trial.expect(
                reply.payload().length >= TABLE_HEADER + Payload.REGION_SIZE,
                "SET_MEM_TABLE was answered with " + reply.payload().length + " bytes");
        acknowledge(frontEnd);
        // The acknowledgement itself has no answer. The answer to the next request shows that it was read.
        frontEnd.getFeatures();
        return reply;
    }

    private static void memoryIsWatched(Trial trial) throws IOException {
        FrontEnd frontEnd = negotiated(trial, 0);
        Fd userfaultfd = advise(trial, frontEnd);
        long given = givePage(userfaultfd, shareAndAcknowledge(trial, frontEnd), 0);
        trial.expect(
                given == GuestRam.PAGE,
                "the front-end could not place a page in the back-end's mapping: " + outcome(given));
    }

    private static void nothingIsWatchedAtTheEnd(Trial trial) throws IOException {
        FrontEnd frontEnd = negotiated(trial, 0);
        Fd userfaultfd = advise(trial, frontEnd);
        Reply table = shareAndAcknowledge(trial, frontEnd);
        frontEnd.ask(Request.POSTCOPY_END, Payload.none());
        long given = givePage(userfaultfd, table, 1);
        trial.expect(
                given < 0,
                "after POSTCOPY_END the front-end could place a page in the back-end's mapping: " + outcome(given));
    }

    private static String outcome(long given) {
        return given < 0 ? Errno.describe((int) -given) : given + " bytes";
    }

    private static void endIsAnswered(Trial trial) throws IOException {
        FrontEnd frontEnd = negotiated(trial, 0);
        advise(trial, frontEnd);
        shareMemory(trial, frontEnd);
        acknowledge(frontEnd);
        long answer = frontEnd.ask(Request.POSTCOPY_END, Payload.none()).asLong();
        trial.expect(answer == 0, "POSTCOPY_END was answered with " + answer);
    }
}
