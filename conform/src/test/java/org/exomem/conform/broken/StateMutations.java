package org.exomem.conform.broken;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.SharedFile;

/** Dirty logs, in-flight areas and device state, wrong in one way each. */
final class StateMutations {
    private static final long LOG_ALL = 1L << 26;
    private static final int LOAD = 1;
    private static final int NO_CHANNEL = 1 << 8;
    private static final int SPLIT_HEADER = 16;
    private static final int SPLIT_ENTRY = 16;
    private static final int PACKED_HEADER = 32;
    private static final int PACKED_ENTRY = 32;

    static final List<Mutation> ALL = List.of(
            // Log
            of("vhost.log.3", "pages are marked after LOG_ALL was taken back", () -> {
                long[] ever = new long[1];
                return new Broken().taking(Request.SET_FEATURES, message -> {
                    ever[0] |= message.longAt(0) & LOG_ALL;
                    return message.withLong(0, message.longAt(0) | ever[0]);
                });
            }),
            of(
                    "vhost.log.4",
                    "buffers that the device writes are not marked",
                    () -> new Broken().logging((bits, word) -> 0)),
            of(
                    "vhost.log.5",
                    "the used ring is not marked",
                    () -> new Broken().taking(Request.SET_VRING_ADDR, message -> message.withInt(4, 0))),
            of("vhost.log.6", "the bit of the next page is set", () -> new Broken().logging((bits, word) -> bits << 1)),
            of("vhost.log.9", "the log is changed without atomic operations", () -> new Broken().loggingPlainly()),
            of(
                    "vhost.log.10",
                    "the used ring is marked one page behind its log address",
                    () -> new Broken()
                            .taking(
                                    Request.SET_VRING_ADDR,
                                    message -> message.withLong(32, message.longAt(32) + 4096))),
            of(
                    "vhost.log.12",
                    "a log address outside of all regions closes the connection",
                    () -> new Broken().relaying().onRequest(Request.SET_VRING_ADDR, (message, line) -> {
                        if (message.intAt(4) != 0 && line.memory().guest(message.longAt(32), 1) == null) {
                            line.end();
                            return List.of();
                        }
                        return List.of(message);
                    })),
            of("vhost.log.13", "pages are not marked any more after SET_LOG_FD", () -> {
                boolean[] told = new boolean[1];
                return new Broken()
                        .before(Request.SET_LOG_FD, line -> told[0] = true)
                        .logging((bits, word) -> told[0] ? 0 : bits);
            }),
            of("vhost.log.16", "guest memory is written after the rings were stopped", RingMutations::writesAfterStop),
            of(
                    "vhost.log.17",
                    "the offset of the log is ignored",
                    () -> new Broken().taking(Request.SET_LOG_BASE, message -> message.withLong(8, 0))),
            // In flight
            of(
                    "vhost.answer.31",
                    "GET_INFLIGHT_FD is answered without a descriptor",
                    () -> new Broken().answering(Request.GET_INFLIGHT_FD, Message::withoutFds)),
            of(
                    "vhost.payload.22",
                    "the in-flight payload has its size and offset swapped",
                    () -> new Broken()
                            .answering(
                                    Request.GET_INFLIGHT_FD,
                                    message -> message.withLong(0, message.longAt(8))
                                            .withLong(8, message.longAt(0)))),
            of(
                    "vhost.inflight.1",
                    "the in-flight area is empty",
                    () -> new Broken().answering(Request.GET_INFLIGHT_FD, message -> message.withLong(0, 0))),
            of(
                            "vhost.inflight.2",
                            "the in-flight area has room for half of the queues",
                            () -> new Broken()
                                    .answering(
                                            Request.GET_INFLIGHT_FD,
                                            message -> message.withLong(0, message.longAt(0) / 2)))
                    .on(DeviceType.BALLOON),
            of(
                    "vhost.inflight.3",
                    "the version in the area is 7",
                    () -> area(false, area -> area.set(ValueLayout.JAVA_SHORT, 8, (short) 7))),
            of("vhost.inflight.4", "entries are not filled in", () -> area(false, area -> {})),
            of("vhost.inflight.6", "taken chains are not marked", () -> area(false, area -> {})),
            of(
                    "vhost.inflight.7",
                    "the last batch is not noted",
                    () -> area(false, area -> area.set(ValueLayout.JAVA_SHORT, 12, (short) 0x55))),
            of(
                    "vhost.inflight.9",
                    "marks of used chains stay",
                    () -> area(false, area -> {
                        for (long at = SPLIT_HEADER; at + SPLIT_ENTRY <= area.byteSize(); at += SPLIT_ENTRY) {
                            area.set(ValueLayout.JAVA_BYTE, at, (byte) 1);
                        }
                    })),
            of("vhost.inflight.10", "what the area says of the last batch is not looked at", StateMutations::forgets),
            of("vhost.inflight.11", "chains that are in flight are not submitted again", StateMutations::forgets),
            of(
                    "vhost.inflight.12",
                    "the free head of a packed area is wrong",
                    () -> area(true, area -> area.set(ValueLayout.JAVA_SHORT, 12, (short) 0x55))),
            of("vhost.inflight.13", "entries of a packed area are not filled in", () -> area(true, area -> {})),
            of("vhost.inflight.15", "taken lists are not marked", () -> area(true, area -> {})),
            of(
                    "vhost.inflight.16",
                    "used entries are not put back into the free list",
                    () -> area(true, area -> area.set(ValueLayout.JAVA_SHORT, 12, (short) 3))),
            of("vhost.inflight.18", "the used index of a packed area does not move", () -> area(true, area -> {})),
            of(
                    "vhost.inflight.19",
                    "marks of used lists stay",
                    () -> area(true, area -> {
                        for (long at = PACKED_HEADER; at + PACKED_ENTRY <= area.byteSize(); at += PACKED_ENTRY) {
                            area.set(ValueLayout.JAVA_BYTE, at, (byte) 1);
                        }
                    })),
            of("vhost.inflight.20", "the old used index is not looked at", StateMutations::forgets),
            of("vhost.inflight.21", "an update that took place is not completed", StateMutations::forgets),
            of("vhost.inflight.22", "an update that did not take place is not taken back", StateMutations::forgets),
            of("vhost.inflight.23", "marks of free entries are not cleared", StateMutations::forgets),
            of("vhost.inflight.24", "lists that are in flight are not submitted again", StateMutations::forgets),
            of("vhost.inflight.29", "the area of SET_INFLIGHT_FD is not looked at", StateMutations::forgets),
            // Device state
            of("vhost.state.2", "rings can't start again after the state was saved", () -> {
                boolean[] saved = new boolean[1];
                return new Broken()
                        .before(Request.SET_DEVICE_STATE_FD, line -> saved[0] = true)
                        .closingOn(Request.SET_VRING_KICK, message -> saved[0]);
            }),
            of("vhost.state.5", "the channel stays open when all is written", StateMutations::keepsOpen),
            of(
                    "vhost.state.7",
                    "the state is not read",
                    () -> new Broken().onRequest(Request.SET_DEVICE_STATE_FD, StateMutations::neverLoads)),
            of(
                    "vhost.state.10",
                    "rings begin at 0 after a state was loaded",
                    () -> afterLoad(Request.SET_VRING_BASE, message -> message.withInt(4, 0))),
            of(
                    "vhost.state.11",
                    "the config space is another one after a state was loaded",
                    StateMutations::otherConfig),
            of(
                    "vhost.state.15",
                    "CHECK_DEVICE_STATE is not answered",
                    () -> new Broken().silentOn(Request.CHECK_DEVICE_STATE)),
            of("vhost.state.19", "the back-end's own channel does not end", StateMutations::ownChannelWithoutEnd),
            of("vhost.state.20", "the back-end's own channel does not end", StateMutations::ownChannelWithoutEnd),
            of(
                    "vhost.state.23",
                    "SET_DEVICE_STATE_FD is answered with an error",
                    () -> new Broken()
                            .answering(Request.SET_DEVICE_STATE_FD, message -> message.withLong(0, NO_CHANNEL | 1))),
            of(
                    "vhost.state.24",
                    "bit 8 is clear though no descriptor comes",
                    () -> new Broken().answering(Request.SET_DEVICE_STATE_FD, message -> message.withLong(0, 0))),
            of(
                    "vhost.state.26",
                    "an error comes with a descriptor",
                    () -> new Broken().answering(Request.SET_DEVICE_STATE_FD, StateMutations::errorWithDescriptor)),
            of(
                    "vhost.state.28",
                    "CHECK_DEVICE_STATE always says success",
                    () -> new Broken().answering(Request.CHECK_DEVICE_STATE, message -> message.withLong(0, 0))));

    private StateMutations() {}

    private static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        DeviceType type = requirement.startsWith("vhost.state") ? DeviceType.BALLOON : DeviceType.MEM;
        return Mutation.of(requirement, name, tampering).on(type);
    }

    /**
     * The front-end gets a copy of the area, which the back-end does not change any more. The back-end's own area stays
     * right.
     */
    private static Broken area(boolean packed, Consumer<MemorySegment> change) {
        Fds kept = new Fds();
        return new Broken()
                .keeping(kept)
                .onReply(Request.GET_INFLIGHT_FD, (message, line) -> {
                    boolean isPacked = (line.features() & Features.RING_PACKED) != 0;
                    if (message.fds().isEmpty() || isPacked != packed) {
                        return List.of(message);
                    }
                    kept.keep(message.fds().getFirst());
                    try (SharedFile file = new SharedFile(message.fds().getFirst());
                            SharedFile copy = SharedFile.memfd("inflight", file.size());
                            Mapping from = Mapping.of(file, 0, file.size());
                            Mapping to = Mapping.of(copy, 0, file.size())) {
                        to.segment().copyFrom(from.segment());
                        MemorySegment area = to.segment().asSlice(message.longAt(8));
                        area.set(ValueLayout.JAVA_SHORT, 8, (short) 1);
                        area.set(ValueLayout.JAVA_SHORT, 10, (short) message.shortAt(18));
                        change.accept(area);
                        return List.of(message.withFds(List.of(copy.fd().duplicate())));
                    }
                })
                .onRequest(Request.SET_INFLIGHT_FD, (message, line) -> {
                    if (kept.isEmpty()) {
                        return List.of(message);
                    }
                    message.close();
                    return List.of(message.withFds(List.of(kept.first())));
                });
    }

    /** The back-end gets zeros for an area that the front-end has kept from an earlier connection. */
    private static Broken forgets() {
        boolean[] isOwn = new boolean[1];
        return new Broken()
                .before(Request.GET_INFLIGHT_FD, line -> isOwn[0] = true)
                .onRequest(Request.SET_INFLIGHT_FD, (message, line) -> {
                    if (isOwn[0] || message.fds().isEmpty()) {
                        return List.of(message);
                    }
                    try (SharedFile file = new SharedFile(message.fds().getFirst());
                            SharedFile empty = SharedFile.memfd("inflight", file.size())) {
                        return List.of(message.withFds(List.of(empty.fd().duplicate())));
                    }
                });
    }

    private static Broken keepsOpen() {
        Fds kept = new Fds();
        return new Broken().keeping(kept).taking(Request.SET_DEVICE_STATE_FD, message -> {
            message.fds().forEach(kept::keep);
            return message;
        });
    }

    private static Broken ownChannelWithoutEnd() {
        Fds kept = new Fds();
        return new Broken().keeping(kept).answering(Request.SET_DEVICE_STATE_FD, message -> {
            try {
                PipeEnd.Pipe pipe = PipeEnd.pipe();
                kept.keep(pipe.writeEnd());
                pipe.writeEnd().close();
                return message.withLong(0, 0).withFds(List.of(pipe.readEnd()));
            } catch (LinuxException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    private static List<Message> neverLoads(Message message, Line line) throws LinuxException {
        if (message.intAt(0) != LOAD || message.fds().isEmpty()) {
            return List.of(message);
        }
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        pipe.writeEnd().close();
        message.close();
        return List.of(message.withFds(List.of(pipe.readEnd())));
    }

    /** Changes a request after a state was loaded. */
    private static Broken afterLoad(int request, UnaryOperator<Message> change) {
        boolean[] loaded = new boolean[1];
        return new Broken()
                .taking(Request.SET_DEVICE_STATE_FD, message -> {
                    loaded[0] |= message.intAt(0) == LOAD;
                    return message;
                })
                .taking(request, message -> loaded[0] ? change.apply(message) : message);
    }

    private static Broken otherConfig() {
        boolean[] loaded = new boolean[1];
        return new Broken()
                .taking(Request.SET_DEVICE_STATE_FD, message -> {
                    loaded[0] |= message.intAt(0) == LOAD;
                    return message;
                })
                .answering(
                        Request.GET_CONFIG,
                        message -> loaded[0]
                                ? message.withInt(
                                        Payload.CONFIG_HEADER_SIZE, message.intAt(Payload.CONFIG_HEADER_SIZE) + 1)
                                : message);
    }

    private static Message errorWithDescriptor(Message message) {
        try (SharedFile file = SharedFile.memfd("state", 4096)) {
            return message.withLong(0, 1).withFds(List.of(file.fd().duplicate()));
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }
}
