package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.exomem.conformance.Misdeed.addresses;
import static org.exomem.conformance.Misdeed.header;
import static org.exomem.conformance.Misdeed.message;
import static org.exomem.conformance.Misdeed.send;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.InflightArea;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.Errno;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.backend.FaultKind;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each malformed message is refused and reported to the operator. Another VM of the process is not affected, the device
 * serves the next front-end, and nothing leaks.
 */
class MalformedMessagesTest {
    private static final int HUGE = 1 << 30;
    private static final long FAR = 1L << 40;
    /** A valid request that no misdeed contains. Its answer shows that everything before was accepted. */
    private static final byte[] PROBE = Payload.config(3, 3, 0, new byte[3]);

    @TempDir
    static Path folder;

    static EchoBackEnd victim;
    static EchoBackEnd other;
    static EchoGuest bystander;

    @BeforeAll
    static void start() throws Exception {
        victim = new EchoBackEnd(folder.resolve("victim"));
        other = new EchoBackEnd(folder.resolve("other"));
        bystander = EchoGuest.start(other);
        // Objects that are created once and kept must exist before resources are counted.
        try (EchoGuest first = EchoGuest.start(victim)) {
            first.assertEcho();
        }
        victim.awaitDisconnected();
    }

    @AfterAll
    static void end() {
        bystander.close();
        other.close();
        victim.close();
    }

    @ParameterizedTest(name = "{0}")
    @Tag("VHU-HDR-2")
    @Tag("VHU-HDR-4")
    @Tag("VHU-HDR-5")
    @Tag("VHU-HDR-6")
    @Tag("VHU-HDR-7")
    @Tag("VHU-MSG-1")
    @Tag("VHU-FEAT-2")
    @Tag("VHU-MEM-5")
    @Tag("VHU-RING-11")
    @Tag("VHU-RING-12")
    @Tag("VHU-INF-2")
    @MethodSource({"headers", "unservedRequests", "sizes", "descriptors", "regions", "rings", "others"})
    void malformedMessageIsRefused(Misdeed misdeed) throws Exception {
        HeldResources before = HeldResources.now();
        victim.faults.clear();
        try (EchoGuest guest = EchoGuest.start(victim)) {
            misdeed.act().commit(guest);
            assertRefused(guest, misdeed);
        }
        victim.awaitDisconnected();
        assertThat(victim.faults).isNotEmpty().allMatch(fault -> fault.kind() == FaultKind.FRONT_END);
        assertThat(other.faults).isEmpty();
        bystander.assertEcho();
        before.assertSameNow();
        try (EchoGuest next = EchoGuest.start(victim)) {
            next.assertEcho();
        }
        victim.awaitDisconnected();
    }

    private static void assertRefused(EchoGuest guest, Misdeed misdeed) throws IOException {
        try {
            guest.frontEnd().send(Request.GET_CONFIG, Connection.VERSION, PROBE, List.of());
            while (true) {
                Reply reply = guest.frontEnd().connection().receive();
                reply.fds().forEach(Fd::close);
                if (isError(reply)) {
                    return;
                }
                if (reply.request() == Request.GET_CONFIG && reply.payload().length == PROBE.length) {
                    fail("the back-end accepted " + misdeed);
                }
            }
        } catch (EOFException e) {
            // Closing the connection is the other way to refuse.
        } catch (LinuxException e) {
            assertThat(e.errno()).isIn(Errno.EPIPE, Errno.ECONNRESET);
        }
    }

    private static boolean isError(Reply reply) {
        return switch (reply.request()) {
            case Request.GET_CONFIG -> reply.payload().length <= Payload.CONFIG_HEADER_SIZE;
            case Request.GET_INFLIGHT_FD -> reply.buffer().getLong(0) == 0;
            case Request.GET_VRING_BASE -> false;
            // VHU-PST-3
            case Request.POSTCOPY_ADVISE -> reply.fds().isEmpty();
            default -> reply.asLong() != 0;
        };
    }

    static Stream<Misdeed> headers() {
        List<Misdeed> all = new ArrayList<>();
        for (int version : new int[] {0, 2, 3}) {
            all.add(header("version " + version, Request.SET_OWNER, version, 0, Payload.none()));
        }
        all.add(header("a reply nobody asked for", Request.SET_OWNER, 1 | Connection.REPLY, 0, Payload.none()));
        for (int size : new int[] {-1, Integer.MIN_VALUE, HUGE, 1 << 20, 8200}) {
            all.add(header("size " + Integer.toUnsignedString(size), Request.SET_OWNER, 1, size, new byte[64]));
        }
        return all.stream();
    }

    static Stream<Misdeed> unservedRequests() {
        int[] numbers = {
            0,
            Request.SEND_RARP,
            Request.NET_SET_MTU,
            Request.IOTLB_MSG,
            Request.SET_VRING_ENDIAN,
            Request.CREATE_CRYPTO_SESSION,
            Request.CLOSE_CRYPTO_SESSION,
            Request.POSTCOPY_ADVISE,
            Request.POSTCOPY_LISTEN,
            Request.POSTCOPY_END,
            Request.GPU_SET_SOCKET,
            Request.VRING_KICK,
            Request.GET_SHARED_OBJECT,
            Request.SET_DEVICE_STATE_FD,
            Request.CHECK_DEVICE_STATE,
            Request.GET_SHMEM_CONFIG,
            45,
            1000,
            -1
        };
        return Arrays.stream(numbers)
                .mapToObj(number -> message("request " + number + ", which is not served", number, new byte[8]));
    }

    /** Every request whose payload has one size, with one byte too few and one too many. */
    static Stream<Misdeed> sizes() {
        List<Misdeed> all = new ArrayList<>();
        for (RightMessages.Right right : RightMessages.all()) {
            byte[] payload = right.payload();
            if (payload.length > 0 && right.request() != Request.SET_LOG_BASE) {
                byte[] shorter = Arrays.copyOf(payload, payload.length - 1);
                all.add(message(right.name() + " with a byte too few", right.request(), shorter, right.fds()));
                all.add(message(right.name() + " with nothing in it", right.request(), Payload.none(), right.fds()));
            }
            byte[] longer = Arrays.copyOf(payload, payload.length + 1);
            all.add(message(right.name() + " with a byte too many", right.request(), longer, right.fds()));
        }
        return all.stream();
    }

    /** Every request with a wrong number of descriptors, and those that take one with a wrong kind. */
    static Stream<Misdeed> descriptors() {
        List<Misdeed> all = new ArrayList<>();
        for (RightMessages.Right right : RightMessages.all()) {
            Misdeed.Fds more = guest -> {
                List<Fd> fds = new ArrayList<>(right.fds().of(guest));
                fds.add(SharedFile.memfd("one-more", 4096).fd());
                fds.add(new EventFd().fd());
                return fds;
            };
            all.add(message(right.name() + " with two more descriptors", right.request(), right.payload(), more));
            all.add(message(right.name() + " with 32 descriptors", right.request(), right.payload(), guest -> {
                List<Fd> fds = new ArrayList<>();
                for (int i = 0; i < 32; i++) {
                    fds.add(new EventFd().fd());
                }
                return fds;
            }));
            if (right.takesDescriptor()) {
                all.add(message(right.name() + " without its descriptor", right.request(), right.payload()));
                all.add(message(
                        right.name() + " with a descriptor of the wrong kind",
                        right.request(),
                        right.payload(),
                        right.wrongFds()));
            }
        }
        all.add(message(
                "a kick that says it has no descriptor, and has", Request.SET_VRING_KICK, number(1 << 8), guest -> {
                    return List.of(new EventFd().fd());
                }));
        return all.stream();
    }

    static Stream<Misdeed> regions() {
        return Stream.of(
                region("an empty region", new Region(FAR, 0, FAR, 0)),
                region("a region that overlaps in guest addresses", new Region(4096, 4096, FAR, 0)),
                new Misdeed("a region that overlaps in user addresses", guest -> {
                    long user = guest.ram.userAddress(4096);
                    sendRegion(guest, new Region(FAR, 8192, user, 0));
                }),
                region("a region that encloses another", new Region(0, 8L << 20, FAR, 0)),
                region("a region whose guest addresses wrap", new Region(-4096, 8192, FAR, 0)),
                region("a region whose user addresses wrap", new Region(FAR, 8192, -4096, 0)),
                region("a region longer than its file", new Region(FAR, 8L << 20, FAR, 0)),
                region("a region beyond the end of its file", new Region(FAR, 4096, FAR, 4 << 20)),
                region("a region whose offset and size wrap", new Region(FAR, 8192, FAR, -4096)),
                region("a region of half the address space", new Region(FAR, Long.MIN_VALUE, FAR, 0)),
                region("a region of all bytes but one", new Region(0, -1, 0, 0)),
                message(
                        "the removal of a region that is not there",
                        Request.REM_MEM_REG,
                        Payload.region(new Region(FAR, 4096, FAR, 0))),
                new Misdeed("the removal of a region by a wrong size", guest -> {
                    Region there = guest.ram.regions().getFirst();
                    Region wrong = new Region(there.guestAddress(), there.size() / 2, there.userAddress(), 0);
                    send(guest, Request.REM_MEM_REG, Payload.region(wrong), none());
                }),
                message("a table of nine regions", Request.SET_MEM_TABLE, Payload.regions(nine()), guest -> {
                    List<Fd> fds = new ArrayList<>();
                    for (int i = 0; i < 9; i++) {
                        fds.add(guest.ram.file().fd().duplicate());
                    }
                    return fds;
                }),
                new Misdeed("a table with fewer descriptors than regions", guest -> {
                    byte[] two = Payload.regions(nine().subList(0, 2));
                    send(guest, Request.SET_MEM_TABLE, two, RightMessages::ramFile);
                }),
                new Misdeed("a table that counts more regions than it has", guest -> {
                    byte[] table = Payload.regions(guest.ram.regions());
                    ByteBuffer.wrap(table).order(ByteOrder.nativeOrder()).putInt(0, 7);
                    send(guest, Request.SET_MEM_TABLE, table, RightMessages::ramFile);
                }),
                new Misdeed("a table whose regions overlap", guest -> {
                    Region region = guest.ram.regions().getFirst();
                    send(
                            guest,
                            Request.SET_MEM_TABLE,
                            Payload.regions(List.of(region, region)),
                            twice -> List.of(
                                    twice.ram.file().fd().duplicate(),
                                    twice.ram.file().fd().duplicate()));
                }));
    }

    private static Misdeed region(String name, Region region) {
        return new Misdeed(name, guest -> sendRegion(guest, region));
    }

    private static void sendRegion(EchoGuest guest, Region region) throws Exception {
        send(guest, Request.ADD_MEM_REG, Payload.region(region), RightMessages::ramFile);
    }

    private static List<Region> nine() {
        return Stream.iterate(0L, i -> i + 1)
                .limit(9)
                .map(i -> new Region(i << 16, 1 << 16, FAR + (i << 16), i << 16))
                .toList();
    }

    static Stream<Misdeed> rings() {
        List<Misdeed> all = new ArrayList<>();
        for (int index : new int[] {EchoDevice.QUEUES, 255, Integer.MAX_VALUE, -1}) {
            for (int request : new int[] {
                Request.SET_VRING_NUM, Request.SET_VRING_BASE, Request.GET_VRING_BASE, Request.SET_VRING_ENABLE
            }) {
                all.add(message("request " + request + " for ring " + index, request, Payload.ring(index, 1)));
            }
            all.add(message(
                    "addresses for ring " + index,
                    Request.SET_VRING_ADDR,
                    Payload.ringAddresses(new RingAddresses(index, 0, 0, 0, 0, 0))));
        }
        for (int request : new int[] {Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR}) {
            for (long index : new long[] {EchoDevice.QUEUES, 255, 1L << 9, 1L << 32}) {
                all.add(message(
                        "request " + request + " with 0x" + Long.toHexString(index), request, number(index), guest -> {
                            return List.of(new EventFd().fd());
                        }));
            }
        }
        for (int size : new int[] {0, 3, 32769, 65536, (1 << 16) | 64, -1}) {
            all.add(new Misdeed("a split ring of " + size, guest -> {
                guest.frontEnd().getVringBase(0);
                send(guest, Request.SET_VRING_NUM, Payload.ring(0, size), none());
                send(guest, Request.SET_VRING_KICK, number(0), RightMessages::event);
            }));
        }
        all.add(message("enabling by 2", Request.SET_VRING_ENABLE, Payload.ring(0, 2)));
        all.add(addresses("descriptors outside of memory", a -> with(a, FAR, a.used(), a.available())));
        all.add(addresses("a used ring outside of memory", a -> with(a, a.descriptors(), FAR, a.available())));
        all.add(addresses("an available ring outside of memory", a -> with(a, a.descriptors(), a.used(), FAR)));
        all.add(addresses("addresses of zero", a -> with(a, 0, 0, 0)));
        all.add(addresses("addresses at the top", a -> with(a, -16, -4, -2)));
        all.add(addresses("descriptors not at 16 bytes", a -> with(a, a.descriptors() + 8, a.used(), a.available())));
        all.add(addresses("a used ring not at 4 bytes", a -> with(a, a.descriptors(), a.used() + 2, a.available())));
        all.add(addresses(
                "an available ring at an odd byte", a -> with(a, a.descriptors(), a.used(), a.available() + 1)));
        all.add(new Misdeed("a ring that leaves its region", guest -> {
            guest.frontEnd().getVringBase(0);
            long end = guest.ram.userAddress(guest.ram.size() - 16);
            RingAddresses bent = with(guest.ring.addresses(false), end, end, end);
            send(guest, Request.SET_VRING_ADDR, Payload.ringAddresses(bent), none());
            send(guest, Request.SET_VRING_KICK, number(0), RightMessages::event);
        }));
        return all.stream();
    }

    private static RingAddresses with(RingAddresses ring, long descriptors, long used, long available) {
        return new RingAddresses(ring.index(), ring.flags(), descriptors, used, available, ring.log());
    }

    static Stream<Misdeed> others() {
        return Stream.of(
                message("a feature that is not offered", Request.SET_FEATURES, number(EchoGuest.SPLIT | 1L << 60)),
                message("all features there can be", Request.SET_FEATURES, number(-1)),
                message(
                        "a protocol feature that is not offered",
                        Request.SET_PROTOCOL_FEATURES,
                        number(Protocol.REPLY_ACK | Protocol.PAGEFAULT)),
                message("all protocol features there can be", Request.SET_PROTOCOL_FEATURES, number(-1)),
                message("a read of no config bytes", Request.GET_CONFIG, Payload.config(0, 0, 0, new byte[0])),
                message("a read beyond any config space", Request.GET_CONFIG, Payload.config(256, 1, 0, new byte[1])),
                message("a read of 257 config bytes", Request.GET_CONFIG, Payload.config(0, 257, 0, new byte[257])),
                message("a read at a huge offset", Request.GET_CONFIG, Payload.config(-1, 8, 0, new byte[8])),
                message("a write beyond any config space", Request.SET_CONFIG, Payload.config(255, 2, 0, new byte[2])),
                message("a write at a huge offset", Request.SET_CONFIG, Payload.config(-8, 16, 0, new byte[16])),
                message("a write shorter than it says", Request.SET_CONFIG, Payload.config(0, 8, 0, new byte[4])),
                message("a write longer than it says", Request.SET_CONFIG, Payload.config(0, 4, 0, new byte[8])),
                message("a write with flags unknown", Request.SET_CONFIG, Payload.config(8, 4, 2, new byte[4])),
                message("a status of more than a byte", Request.SET_STATUS, number(0x100)),
                log("a log of no bytes", 0, 0),
                log("a log longer than its file", 1 << 20, 0),
                log("a log beyond its file", 4096, 1 << 20),
                log("a log whose end wraps", -4096, 8192),
                inflight("in-flight memory for no queue", new InflightArea(0, 0, 0, 64)),
                inflight("in-flight memory for no entry", new InflightArea(0, 0, 4, 0)),
                inflight("in-flight memory for 65535 queues", new InflightArea(0, 0, 65535, 64)),
                inflight("in-flight memory for 65535 entries", new InflightArea(0, 0, 4, 65535)),
                givenInflight("in-flight memory that is too small", new InflightArea(4096, 0, 4, 1024)),
                givenInflight("in-flight memory beyond its file", new InflightArea(4096, 1 << 20, 2, 64)),
                givenInflight("in-flight memory whose end wraps", new InflightArea(-4096, 8192, 2, 64)),
                givenInflight("in-flight memory for more queues than there are", new InflightArea(65536, 0, 5, 64)),
                new Misdeed("in-flight memory in the place of what was given before", guest -> {
                    InflightArea area = new InflightArea(65536, 0, 2, EchoGuest.RING_SIZE);
                    for (int i = 0; i < 2; i++) {
                        send(guest, Request.SET_INFLIGHT_FD, Payload.inflight(area), RightMessages::smallFile);
                    }
                }),
                new Misdeed(
                        "a back-end channel that is no socket",
                        guest -> send(guest, Request.SET_BACKEND_REQ_FD, Payload.none(), RightMessages::event)));
    }

    private static Misdeed log(String name, long size, long offset) {
        return message(name, Request.SET_LOG_BASE, Payload.log(size, offset), RightMessages::smallFile);
    }

    private static Misdeed inflight(String name, InflightArea area) {
        return message(name, Request.GET_INFLIGHT_FD, Payload.inflight(area));
    }

    private static Misdeed givenInflight(String name, InflightArea area) {
        return message(name, Request.SET_INFLIGHT_FD, Payload.inflight(area), RightMessages::smallFile);
    }

    private static byte[] number(long value) {
        return Payload.number(value);
    }

    private static Misdeed.Fds none() {
        return guest -> List.of();
    }
}
