package org.exomem.conform.checks.hostile;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.checks.hostile.KnownMessage.Fds;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.InflightArea;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.SharedFile;

/** Malformed and truncated messages. */
final class MessageAttacks {
    private static final int HUGE = 1 << 30;
    private static final int MANY_DESCRIPTORS = 32;
    /** The requests that are truncated: one of each form of payload. */
    private static final List<String> CUT =
            List.of("SET_FEATURES", "SET_VRING_ADDR", "SET_MEM_TABLE", "ADD_MEM_REG", "SET_LOG_BASE", "GET_CONFIG");

    static final List<Check> ALL = checks();

    private MessageAttacks() {}

    private static List<Check> checks() {
        List<Check> all = new ArrayList<>();
        all.add(Check.of(
                "robust.message.1",
                "malformed headers affect only their own connection",
                trial -> Attack.all(trial, headers())));
        all.add(Check.of(
                "robust.message.4",
                "unknown requests affect only their own connection",
                trial -> Attack.all(trial, unknownRequests())));
        all.add(Check.of(
                "robust.message.2",
                "payloads that are too short affect only their own connection",
                trial -> Attack.all(trial, shorter())));
        all.add(Check.of(
                "robust.message.2",
                "payloads that are too long affect only their own connection",
                trial -> Attack.all(trial, longer())));
        all.add(Check.of(
                "robust.message.3",
                "missing and wrong descriptors affect only their own connection",
                trial -> Attack.all(trial, wrongDescriptors())));
        all.add(Check.of(
                "robust.message.3",
                "too many descriptors affect only their own connection",
                trial -> Attack.all(trial, tooManyDescriptors())));
        all.add(Check.of(
                "robust.message.5",
                "a front-end may disconnect after any byte of a header",
                trial -> cutShort(trial, "SET_OWNER", 1)));
        for (String name : CUT) {
            all.add(Check.of(
                    "robust.message.5",
                    "a front-end may disconnect after any byte of " + name,
                    trial -> cutShort(trial, name, Connection.HEADER_SIZE)));
        }
        all.add(Check.of("robust.message.6", "messages may arrive one byte at a time", MessageAttacks::inPieces));
        all.add(Check.of(
                "robust.message.7",
                "invalid ring indices affect only their own connection",
                trial -> Attack.all(trial, ringIndices())));
        all.add(Check.of(
                "robust.message.7",
                "invalid ring sizes affect only their own connection",
                trial -> Attack.all(trial, ringSizes())));
        all.add(Check.of(
                "robust.message.7",
                "other invalid numbers affect only their own connection",
                trial -> Attack.all(trial, otherNumbers())));
        return List.copyOf(all);
    }

    // How an attack is made

    private static void send(Session session, int request, byte[] payload, Fds fds) throws Exception {
        List<Fd> attached = fds.of(session);
        try {
            session.frontEnd().send(request, Connection.VERSION, payload, attached);
        } finally {
            attached.forEach(Fd::close);
        }
    }

    static Attack message(String name, int request, byte[] payload, Fds fds) {
        return new Attack(name, session -> send(session, request, payload, fds));
    }

    static Attack message(String name, int request, byte[] payload) {
        return message(name, request, payload, session -> List.of());
    }

    private static Attack header(String name, int request, int flags, int size, int bytesBehind) {
        byte[] bytes = ByteBuffer.allocate(Connection.HEADER_SIZE + bytesBehind)
                .order(ByteOrder.nativeOrder())
                .putInt(request)
                .putInt(flags)
                .putInt(size)
                .array();
        return new Attack(name, session -> session.connection().sendBytes(bytes, List.of()));
    }

    // Attacks

    private static List<Attack> headers() {
        List<Attack> all = new ArrayList<>();
        for (int version : new int[] {0, 2, 3}) {
            all.add(header("a header of version " + version, Request.SET_OWNER, version, 0, 0));
        }
        all.add(header("an unsolicited reply", Request.SET_OWNER, 1 | Connection.REPLY, 0, 0));
        all.add(header("a header whose flags are all set", Request.GET_FEATURES, -1, 0, 0));
        for (int size : new int[] {-1, Integer.MIN_VALUE, HUGE, 1 << 20, 8200}) {
            all.add(header("a header with size " + Integer.toUnsignedString(size), Request.SET_FEATURES, 1, size, 64));
        }
        return all;
    }

    private static List<Attack> unknownRequests() {
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
            Request.CHECK_DEVICE_STATE,
            Request.GET_SHMEM_CONFIG,
            63,
            1000,
            Integer.MAX_VALUE,
            -1
        };
        return Arrays.stream(numbers)
                .mapToObj(number -> message("request " + Integer.toUnsignedString(number), number, new byte[8]))
                .toList();
    }

    private static List<Attack> shorter() {
        List<Attack> all = new ArrayList<>();
        for (KnownMessage known : KnownMessage.all()) {
            byte[] payload = known.payload();
            if (payload.length > 0) {
                byte[] shorter = Arrays.copyOf(payload, payload.length - 1);
                all.add(message(known.name() + " with a byte too few", known.request(), shorter, known.fds()));
                all.add(message(known.name() + " without a payload", known.request(), Payload.none(), known.fds()));
            }
        }
        return all;
    }

    private static List<Attack> longer() {
        List<Attack> all = new ArrayList<>();
        for (KnownMessage known : KnownMessage.all()) {
            byte[] longer = Arrays.copyOf(known.payload(), known.payload().length + 1);
            all.add(message(known.name() + " with a byte too many", known.request(), longer, known.fds()));
        }
        return all;
    }

    private static List<Attack> wrongDescriptors() {
        List<Attack> all = new ArrayList<>();
        for (KnownMessage known : KnownMessage.all()) {
            if (known.takesDescriptor()) {
                all.add(message(known.name() + " without its descriptor", known.request(), known.payload()));
                all.add(message(
                        known.name() + " with a descriptor of the wrong kind",
                        known.request(),
                        known.payload(),
                        known.wrongFds()));
            }
        }
        all.add(message(
                "SET_VRING_KICK with a descriptor although bit 8 is set",
                Request.SET_VRING_KICK,
                Payload.number(1 << 8),
                KnownMessage::event));
        return all;
    }

    private static List<Attack> tooManyDescriptors() {
        List<Attack> all = new ArrayList<>();
        for (KnownMessage known : KnownMessage.all()) {
            all.add(message(
                    known.name() + " with two descriptors too many", known.request(), known.payload(), session -> {
                        List<Fd> fds = new ArrayList<>(known.fds().of(session));
                        fds.add(SharedFile.memfd("one-more", 4096).fd());
                        fds.add(new EventFd().fd());
                        return fds;
                    }));
        }
        for (int request : new int[] {Request.GET_FEATURES, Request.SET_MEM_TABLE, Request.SET_VRING_CALL}) {
            all.add(message(
                    "request " + request + " with " + MANY_DESCRIPTORS + " descriptors",
                    request,
                    Payload.number(0),
                    session -> {
                        List<Fd> fds = new ArrayList<>();
                        for (int i = 0; i < MANY_DESCRIPTORS; i++) {
                            fds.add(new EventFd().fd());
                        }
                        return fds;
                    }));
        }
        return all;
    }

    /** Sends each prefix of a message, beginning with a certain length, and closes the connection. */
    private static void cutShort(Trial trial, String name, int from) throws Exception {
        KnownMessage known = KnownMessage.all().stream()
                .filter(each -> each.name().equals(name))
                .findFirst()
                .orElseThrow();
        byte[] whole = Connection.encode(known.request(), Connection.VERSION, known.payload());
        Session session = Attack.served(trial, trial.closeLater(Attack.memory(trial)), "");
        session.device().close();
        for (int length = from; length < whole.length; length++) {
            byte[] cut = Arrays.copyOf(whole, length);
            List<Fd> fds = known.fds().of(session);
            try (FrontEnd frontEnd =
                    new FrontEnd(trial.backEnd().connect(), trial.limits().answer())) {
                Attack.tolerate(trial, () -> frontEnd.connection().sendBytes(cut, fds));
            } finally {
                fds.forEach(Fd::close);
            }
        }
        Attack.expectServed(trial, "one that ended in the middle of " + name);
    }

    private static void inPieces(Trial trial) throws Exception {
        FrontEnd frontEnd = trial.connect();
        long offered = frontEnd.getFeatures();
        inPieces(frontEnd, Request.GET_FEATURES, Payload.none());
        Reply reply = frontEnd.connection().receive();
        trial.expect(
                reply.request() == Request.GET_FEATURES && reply.asLong() == offered,
                "GET_FEATURES that was sent byte by byte was answered with a reply to request " + reply.request()
                        + ", 0x" + Long.toHexString(reply.asLong()) + ", not with 0x" + Long.toHexString(offered));
        inPieces(frontEnd, Request.SET_OWNER, Payload.none());
        inPieces(frontEnd, Request.SET_FEATURES, Payload.number(offered & 1L << 32));
        trial.expect(
                frontEnd.getFeatures() == offered,
                "GET_FEATURES has another answer after messages that were sent byte by byte");
    }

    private static void inPieces(FrontEnd frontEnd, int request, byte[] payload) throws Exception {
        for (byte piece : Connection.encode(request, Connection.VERSION, payload)) {
            frontEnd.connection().sendBytes(new byte[] {piece}, List.of());
        }
    }

    private static List<Attack> ringIndices() {
        List<Attack> all = new ArrayList<>();
        for (int index : new int[] {0xff, 0xffff, Integer.MAX_VALUE, -1}) {
            for (int request : new int[] {
                Request.SET_VRING_NUM, Request.SET_VRING_BASE, Request.GET_VRING_BASE, Request.SET_VRING_ENABLE
            }) {
                all.add(message("request " + request + " for ring " + index, request, Payload.ring(index, 1)));
            }
            all.add(message(
                    "SET_VRING_ADDR for ring " + index,
                    Request.SET_VRING_ADDR,
                    Payload.ringAddresses(new RingAddresses(index, 0, 0, 0, 0, 0))));
        }
        for (int request : new int[] {Request.SET_VRING_KICK, Request.SET_VRING_CALL, Request.SET_VRING_ERR}) {
            for (long index : new long[] {0xff, 1L << 9, 1L << 32, -1}) {
                all.add(message(
                        "request " + request + " with 0x" + Long.toHexString(index),
                        request,
                        Payload.number(index),
                        KnownMessage::event));
            }
        }
        return all;
    }

    private static List<Attack> ringSizes() {
        List<Attack> all = new ArrayList<>();
        for (int size : new int[] {0, 3, 32769, 65536, (1 << 16) | 64, -1}) {
            all.add(new Attack("a ring of " + size + " entries", session -> {
                session.frontEnd().getVringBase(0);
                session.frontEnd().setVringNum(0, size);
                send(session, Request.SET_VRING_KICK, Payload.number(0), KnownMessage::event);
                session.settle();
            }));
        }
        for (int base : new int[] {65, 0x8000, 0xffff, -1}) {
            all.add(new Attack("a ring that begins at " + base, session -> {
                session.frontEnd().getVringBase(0);
                session.frontEnd().setVringBase(0, base);
                send(session, Request.SET_VRING_KICK, Payload.number(0), KnownMessage::event);
                session.settle();
            }));
        }
        return all;
    }

    private static List<Attack> otherNumbers() {
        return List.of(
                message("SET_FEATURES with all bits", Request.SET_FEATURES, Payload.number(-1)),
                message("SET_PROTOCOL_FEATURES with all bits", Request.SET_PROTOCOL_FEATURES, Payload.number(-1)),
                message("SET_VRING_ENABLE with 2", Request.SET_VRING_ENABLE, Payload.ring(0, 2)),
                message("SET_STATUS with more than a byte", Request.SET_STATUS, Payload.number(0x100)),
                message("GET_CONFIG of no bytes", Request.GET_CONFIG, Payload.config(0, 0, 0, new byte[0])),
                message("GET_CONFIG at 256", Request.GET_CONFIG, Payload.config(256, 1, 0, new byte[1])),
                message("GET_CONFIG of 257 bytes", Request.GET_CONFIG, Payload.config(0, 257, 0, new byte[257])),
                message("GET_CONFIG at 2^32 - 1", Request.GET_CONFIG, Payload.config(-1, 8, 0, new byte[8])),
                message("SET_CONFIG at 255", Request.SET_CONFIG, Payload.config(255, 2, 0, new byte[2])),
                message("SET_CONFIG at 2^32 - 8", Request.SET_CONFIG, Payload.config(-8, 16, 0, new byte[16])),
                message("SET_CONFIG shorter than it says", Request.SET_CONFIG, Payload.config(0, 8, 0, new byte[4])),
                message("GET_CONFIG of 2^31 bytes", Request.GET_CONFIG, Payload.config(0, 1 << 31, 0, new byte[8])),
                log("SET_LOG_BASE of no bytes", 0, 0),
                log("SET_LOG_BASE of more than its file", 1 << 20, 0),
                log("SET_LOG_BASE after the end of its file", 4096, 1 << 20),
                log("SET_LOG_BASE whose end wraps", -4096, 8192),
                inflight("GET_INFLIGHT_FD for no queue", new InflightArea(0, 0, 0, 64)),
                inflight("GET_INFLIGHT_FD for no entry", new InflightArea(0, 0, 1, 0)),
                inflight("GET_INFLIGHT_FD for 65535 queues", new InflightArea(0, 0, 0xffff, 64)),
                inflight("GET_INFLIGHT_FD for 65535 entries", new InflightArea(0, 0, 1, 0xffff)),
                message(
                        "SET_DEVICE_STATE_FD with an unknown direction",
                        Request.SET_DEVICE_STATE_FD,
                        Payload.deviceState(7, 0),
                        KnownMessage::socket));
    }

    private static Attack log(String name, long size, long offset) {
        return new Attack(name, session -> {
            if (session.hasProtocol(Protocol.LOG_SHMFD)) {
                send(session, Request.SET_LOG_BASE, Payload.log(size, offset), KnownMessage::smallFile);
            }
        });
    }

    private static Attack inflight(String name, InflightArea area) {
        return message(name, Request.GET_INFLIGHT_FD, Payload.inflight(area));
    }
}
