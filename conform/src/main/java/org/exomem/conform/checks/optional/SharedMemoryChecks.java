package org.exomem.conform.checks.optional;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;

/** Shared memory regions, shared objects, and messages of the IOTLB. */
final class SharedMemoryChecks {
    private static final int REGIONS = 256;
    private static final int HEADER = 8;
    private static final int CONFIG_SIZE = HEADER + REGIONS * Long.BYTES;
    private static final long SMALLEST_PAGE = 4096;
    private static final int UUID_SIZE = 16;
    private static final int IOTLB_SIZE = 32;
    private static final byte READ_WRITE = 3;
    private static final byte UPDATE = 2;

    static final List<Check> ALL = List.of(
            Check.of(
                            "vhost.payload.27",
                            "GET_SHMEM_CONFIG is answered with a number and 256 sizes",
                            SharedMemoryChecks::shmemConfig)
                    .and("vhost.answer.44"),
            Check.of(
                            "vhost.shmem.3",
                            "The number of regions in GET_SHMEM_CONFIG is the number of sizes other than 0",
                            SharedMemoryChecks::numberOfRegions)
                    .and("vhost.shmem.6"),
            Check.of(
                    "vhost.shmem.4",
                    "GET_SHMEM_CONFIG is answered the same way each time",
                    SharedMemoryChecks::sameConfig),
            Check.of(
                    "vhost.shmem.5",
                    "The sizes of shared memory regions are multiples of the page size",
                    SharedMemoryChecks::sizesArePages),
            Check.of(
                    "vhost.answer.41",
                    "GET_SHARED_OBJECT of an object that does not exist is answered without a descriptor",
                    SharedMemoryChecks::unknownObject),
            Check.of("vhost.iotlb.13", "IOTLB_MSG is answered with 0", SharedMemoryChecks::iotlbIsAnswered)
                    .and("vhost.answer.22"));

    private SharedMemoryChecks() {}

    private static Reply ask(Trial trial) throws IOException {
        return ask(trial, trial.session(Wish.USUAL.withProtocol(Protocol.SHMEM_MAP)));
    }

    private static Reply ask(Trial trial, Session session) throws IOException {
        Reply reply = session.frontEnd().ask(Request.GET_SHMEM_CONFIG, Payload.none());
        trial.expect(
                reply.payload().length == CONFIG_SIZE,
                "GET_SHMEM_CONFIG was answered with " + reply.payload().length + " bytes, not with " + CONFIG_SIZE);
        return reply;
    }

    private static void shmemConfig(Trial trial) throws IOException {
        ask(trial);
    }

    private static void numberOfRegions(Trial trial) throws IOException {
        Reply reply = ask(trial);
        int used = 0;
        for (int id = 0; id < REGIONS; id++) {
            used += reply.buffer().getLong(HEADER + id * Long.BYTES) != 0 ? 1 : 0;
        }
        int told = reply.buffer().getInt(0);
        trial.expect(told == used, told + " regions are reported, but " + used + " sizes are not 0");
    }

    private static void sameConfig(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.SHMEM_MAP));
        Reply first = ask(trial, session);
        if (trial.sample().isPresent()) {
            session.start().serve();
        }
        trial.expect(
                Arrays.equals(first.payload(), ask(trial, session).payload()),
                "GET_SHMEM_CONFIG was answered differently the second time");
    }

    private static void sizesArePages(Trial trial) throws IOException {
        Reply reply = ask(trial);
        for (int id = 0; id < REGIONS; id++) {
            long size = reply.buffer().getLong(HEADER + id * Long.BYTES);
            trial.expect(
                    size % SMALLEST_PAGE == 0,
                    "shared memory region " + id + " has " + size + " bytes, which is not a multiple of "
                            + SMALLEST_PAGE);
        }
    }

    private static void unknownObject(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.SHARED_OBJECT));
        byte[] nobody = new byte[UUID_SIZE];
        Arrays.fill(nobody, (byte) 0x5a);
        session.frontEnd().send(Request.GET_SHARED_OBJECT, Connection.VERSION, nobody, List.of());
        Reply reply = session.connection().receive();
        reply.fds().forEach(Fd::close);
        trial.expect(
                reply.request() == Request.GET_SHARED_OBJECT && reply.fds().isEmpty(),
                "GET_SHARED_OBJECT of an object that does not exist was answered with a reply to request "
                        + reply.request() + " and " + reply.fds().size() + " descriptors");
    }

    private static void iotlbIsAnswered(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.with(Features.ACCESS_PLATFORM));
        byte[] update = ByteBuffer.allocate(IOTLB_SIZE)
                .order(ByteOrder.nativeOrder())
                .putLong(0)
                .putLong(SMALLEST_PAGE)
                .putLong(session.ram().userAddress(0))
                .put(READ_WRITE)
                .put(UPDATE)
                .array();
        session.frontEnd().send(Request.IOTLB_MSG, Connection.VERSION, update, List.of());
        Reply reply = session.connection().receive();
        reply.fds().forEach(Fd::close);
        trial.expect(
                reply.request() == Request.IOTLB_MSG && reply.asLong() == 0,
                "IOTLB_MSG of a page of guest memory was answered with a reply to request " + reply.request()
                        + ", number " + reply.asLong());
    }
}
