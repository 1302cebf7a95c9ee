package org.exomem.conform.broken;

import static org.exomem.conform.broken.GuestView.LE_INT;
import static org.exomem.conform.broken.GuestView.LE_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;
import java.util.function.Supplier;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;

/** Rings, their states and their notifications, wrong in one way each. */
final class RingMutations {
    private static final int INDIRECT_AND_WRITE = 6;
    private static final int NEXT = 1;
    private static final int INDIRECT = 4;
    private static final int NO_CALL = 1;
    private static final int WRAP = 1 << 15;
    private static final int REPETITIONS = 10;
    private static final long INTERVAL_NANOS = 10_000_000;

    static final List<Mutation> ALL = List.of(
            // Used elements
            of(
                    "ring.split.used.1",
                    "the used index moves on before the length is written",
                    () -> split(new Broken().publishingBeforeContent())),
            of(
                    "ring.split.used.2",
                    "the used length is one more than what was written",
                    () -> split(new Broken().eachUsed(element -> element.withWritten(element.written() + 1)))),
            of(
                    "ring.split.framing.1",
                    "a chain of more than two buffers is not used",
                    () -> split(new Broken().neverUsing(chain -> chain.buffers().size() > 2))),
            of(
                    "ring.split.desc.1",
                    "the device writes into a buffer that it may only read",
                    () -> split(writingReadable())),
            of(
                    "ring.split.desc.4",
                    "the device writes into the descriptor table",
                    () -> split(new Broken().beforeUsed((ring, chain) -> {
                        MemorySegment table = ring.descriptors;
                        if (table != null) {
                            long next = 16L * chain.id() + 14;
                            table.set(LE_SHORT, next, (short) (table.get(LE_SHORT, next) ^ 0x4000));
                        }
                    }))),
            of(
                    "ring.split.indirect.6",
                    "a chain whose indirect descriptor has WRITE set is not used",
                    () -> split(neverUsingHeads(INDIRECT_AND_WRITE, INDIRECT_AND_WRITE))),
            of(
                    "ring.split.indirect.7",
                    "a chain with a direct descriptor before the indirect one is not used",
                    () -> split(new Broken()
                            .usedAs((ring, elements) -> elements.stream()
                                    .filter(element -> !endsIndirect(ring, element.id()))
                                    .toList()))),
            of("reserved.18", "a buffer comes back again in place of the next one", RingMutations::idsTwice),
            // Notifications
            of(
                    "ring.split.interrupt.6",
                    "without EVENT_IDX, the driver is called only at used_event",
                    () -> split(new Broken().callingIf((ring, wanted) -> wanted && ring.has(Features.EVENT_IDX)))),
            of(
                    "ring.split.interrupt.7",
                    "the driver is called though it wants no calls",
                    () -> split(new Broken().callingIf((ring, wanted) -> wanted || !ring.has(Features.EVENT_IDX)))),
            of(
                    "ring.split.interrupt.8",
                    "without EVENT_IDX, the driver is never called",
                    () -> split(new Broken().callingIf((ring, wanted) -> wanted && ring.has(Features.EVENT_IDX)))),
            of(
                    "ring.split.interrupt.9",
                    "with EVENT_IDX, the flags keep the device from calling",
                    () -> split(new Broken().callingIf((ring, wanted) -> wanted && !flagsSayNo(ring)))),
            of(
                    "ring.split.interrupt.10",
                    "with EVENT_IDX, the driver is never called",
                    () -> split(new Broken().callingIf((ring, wanted) -> wanted && !ring.has(Features.EVENT_IDX)))),
            of(
                    "ring.split.interrupt.11",
                    "with EVENT_IDX, the driver is called for each used entry",
                    () -> split(new Broken().callingIf((ring, wanted) -> wanted || ring.has(Features.EVENT_IDX)))),
            of("ring.split.kick.8", "the flags of the used ring are 2", () -> split(new Broken().withUsedFlags(2))),
            of(
                    "ring.split.kick.10",
                    "with EVENT_IDX, the flags of the used ring are 1",
                    () -> split(new Broken().withUsedFlags(1))),
            of(
                    "ring.split.kick.9",
                    "the device asks for no kicks and waits for them",
                    () -> split(new Broken().withUsedFlags(1).waitingForKicks())),
            of(
                    "ring.split.kick.11",
                    "the device waits for a kick that it did not ask for",
                    () -> split(new Broken()
                            .withAvailEvent(seen -> seen + 100 & 0xffff)
                            .waitingForKicks())),
            of("ring.split.kick.12", "a kick without a reason ends the connection", RingMutations::endsAtIdleKick),
            of(
                    "vhost.call.2",
                    "the call descriptor is never signalled",
                    () -> new Broken().callingIf((ring, wanted) -> false)),
            of("vhost.call.3", "a descriptor is signalled though the front-end polls", () -> {
                Fds kept = new Fds();
                return new Broken()
                        .keeping(kept)
                        .onRequest(Request.SET_VRING_CALL, (message, line) -> {
                            message.fds().forEach(kept::keepEvent);
                            return List.of(message);
                        })
                        .beforeUsed((ring, chain) -> kept.signal());
            }),
            of("vhost.event.1", "one request is served for each kick", RingMutations::countsKicks),
            of(
                    "vhost.event.3",
                    "a call is a write of 4 bytes",
                    () -> new Broken().callingIf((ring, wanted) -> {
                        if (wanted) {
                            ring.callWith(4);
                        }
                        return false;
                    })),
            of("vhost.kick.2", "kicks are lost", () -> new Broken().taking(Request.SET_VRING_KICK, Fds::withDeafEvent)),
            of(
                    "vhost.kick.3",
                    "a ring without a kick descriptor is not polled",
                    () -> new Broken().taking(Request.SET_VRING_KICK, Fds::withEventInstead)),
            of(
                    "vhost.err.2",
                    "the error descriptor is not signalled",
                    () -> new Broken().ignoring(Request.SET_VRING_ERR)),
            // Packed rings
            of(
                    "ring.packed.desc.1",
                    "the device writes into a buffer that it may only read",
                    () -> packed(writingReadable())),
            of(
                    "ring.packed.desc.3",
                    "a descriptor is used before it was made available",
                    () -> packed(new Broken().usedAs((ring, elements) -> {
                        List<Element> more = new ArrayList<>(elements);
                        more.add(elements.getLast());
                        return more;
                    }))),
            of(
                    "ring.packed.desc.4",
                    "a descriptor that was used before is changed",
                    () -> packed(new Broken().beforeUsed((ring, chain) -> {
                        MemorySegment descriptors = ring.descriptors;
                        if (descriptors != null) {
                            descriptors.set(LE_INT, 8, descriptors.get(LE_INT, 8) + 1);
                        }
                    }))),
            of(
                    "ring.packed.list.7",
                    "a list of more than two descriptors is not used",
                    () -> packed(
                            new Broken().neverUsing(chain -> chain.buffers().size() > 2))),
            // Life of a ring
            of("vhost.ring.1", "a ring is enabled when it starts", RingMutations::enabledAtStart),
            of("vhost.ring.2", "a ring that was stopped goes on", RingMutations::neverStops),
            of("vhost.ring.3", "what was enabled before the start is forgotten", () -> {
                boolean[] started = new boolean[1];
                return new Broken()
                        .before(Request.SET_VRING_KICK, line -> started[0] = true)
                        .ignoring(Request.SET_VRING_ENABLE, message -> !started[0]);
            }),
            of(
                    "vhost.ring.4",
                    "a ring that was disabled goes on",
                    () -> new Broken().ignoring(Request.SET_VRING_ENABLE, message -> message.intAt(4) == 0)),
            of("vhost.ring.5", "an enabled ring is not served", () -> new Broken().neverUsing(chain -> true)),
            of(
                    "vhost.ring.6",
                    "SET_VRING_KICK does not start a ring",
                    () -> new Broken().taking(Request.SET_VRING_KICK, Fds::withDeafEvent)),
            of("vhost.ring.8", "GET_VRING_BASE does not stop the ring", RingMutations::neverStops),
            of("vhost.ring.9", "a ring that starts again begins at 0", RingMutations::beginsAtZeroAgain),
            of("vhost.ring.11", "what is available at the start waits for a kick", RingMutations::startsAtKick),
            of("vhost.ring.12", "SET_VRING_ENABLE is lost", () -> new Broken().ignoring(Request.SET_VRING_ENABLE)),
            of(
                    "vhost.ring.13",
                    "without bit 30, rings stay disabled",
                    () -> new Broken()
                            .onRequest(
                                    Request.SET_FEATURES,
                                    (message, line) -> List.of(
                                            message.withLong(0, message.longAt(0) | Features.PROTOCOL_FEATURES)))),
            of("vhost.ring.14", "a change of memory under a ring that runs closes the connection", () -> {
                boolean[] started = new boolean[1];
                return new Broken()
                        .before(Request.SET_VRING_KICK, line -> started[0] = true)
                        .closingOn(Request.SET_MEM_TABLE, message -> started[0]);
            }),
            // Positions
            of(
                    "vhost.vring.1",
                    "the ring has half the size that was told",
                    () -> new Broken()
                            .taking(Request.SET_VRING_NUM, message -> message.withInt(4, message.intAt(4) / 2))),
            of(
                    "vhost.vring.2",
                    "the used ring is 64 bytes behind where it was told to be",
                    () -> new Broken()
                            .taking(Request.SET_VRING_ADDR, message -> message.withLong(16, message.longAt(16) + 64))),
            of(
                    "vhost.vring.3",
                    "SET_VRING_BASE is taken as one more",
                    () -> new Broken()
                            .taking(
                                    Request.SET_VRING_BASE,
                                    message -> message.withInt(4, (message.intAt(4) + 1) & 0xffff))),
            of("vhost.vring.4", "the used index begins at 0 when a ring starts", RingMutations::usedFromZero),
            of(
                    "vhost.vring.5",
                    "SET_VRING_BASE of a packed ring loses the wrap counters",
                    () -> new Broken()
                            .onRequest(
                                    Request.SET_VRING_BASE,
                                    (message, line) -> List.of(
                                            isPacked(line)
                                                    ? message.withInt(4, message.intAt(4) ^ (WRAP | WRAP << 16))
                                                    : message))),
            base("vhost.vring.6", "GET_VRING_BASE tells one too many", false, position -> position + 1),
            base(
                    "vhost.vring.7",
                    "GET_VRING_BASE of a packed ring tells one position only",
                    true,
                    position -> position & 0xffff),
            of(
                    "vhost.payload.5",
                    "GET_VRING_BASE tells the position modulo the size of the ring",
                    RingMutations::moduloSize),
            base(
                    "vhost.payload.6",
                    "GET_VRING_BASE has something in the upper bits",
                    false,
                    position -> position | 1 << 16),
            base(
                    "vhost.payload.8",
                    "GET_VRING_BASE of a packed ring lacks the wrap counters",
                    true,
                    position -> position & ~(WRAP | WRAP << 16)),
            of("vhost.vring.9", "GET_VRING_BASE is answered before what is in flight is used", () -> {
                boolean[] stopped = new boolean[1];
                return new Broken()
                        .before(Request.GET_VRING_BASE, line -> stopped[0] = true)
                        .usedAs((ring, elements) -> stopped[0] ? List.of() : elements);
            }),
            // While all rings are stopped
            of(
                    "vhost.suspend.1",
                    "guest memory is written after all rings were stopped",
                    RingMutations::writesAfterStop),
            of(
                    "vhost.suspend.2",
                    "the driver is called after all rings were stopped",
                    () -> afterStop(line -> line.rings().forEach(ring -> ring.call(true)))),
            of(
                    "vhost.suspend.3",
                    "CONFIG_CHANGE is sent after all rings were stopped",
                    () -> afterStop(
                            line -> line.overChannel(Message.request(Request.BackEnd.CONFIG_CHANGE, Payload.none())))),
            of("vhost.suspend.4", "nothing is answered after all rings were stopped", RingMutations::deafAfterStop));

    private RingMutations() {}

    private static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        return Mutation.of(requirement, name, tampering);
    }

    /** Does not change packed rings. */
    private static Broken split(Broken broken) {
        return broken.onRings(ring -> !ring.isPacked());
    }

    /** Does not change split rings. */
    private static Broken packed(Broken broken) {
        return broken.onRings(RingRelay::isPacked);
    }

    private static boolean isPacked(Line line) {
        return (line.features() & Features.RING_PACKED) != 0;
    }

    private static Broken writingReadable() {
        return new Broken().beforeUsed((ring, chain) -> {
            MemorySegment bytes = chain.first(false, ring.memory());
            if (bytes != null && bytes.byteSize() > 0) {
                long last = bytes.byteSize() - 1;
                bytes.set(ValueLayout.JAVA_BYTE, last, (byte) (bytes.get(ValueLayout.JAVA_BYTE, last) ^ 0x55));
            }
        });
    }

    private static Broken neverUsingHeads(int mask, int flags) {
        return new Broken()
                .usedAs((ring, elements) -> elements.stream()
                        .filter(element -> (flags(ring, element.id()) & mask) != flags)
                        .toList());
    }

    private static int flags(RingRelay ring, int descriptor) {
        MemorySegment table = ring.descriptors;
        return table == null || descriptor < 0 || descriptor >= ring.size()
                ? 0
                : table.get(LE_SHORT, 16L * descriptor + 12);
    }

    private static boolean endsIndirect(RingRelay ring, int head) {
        MemorySegment table = ring.descriptors;
        if (table == null || (flags(ring, head) & NEXT) == 0) {
            return false;
        }
        int at = head;
        for (int i = 0; i < ring.size() && (flags(ring, at) & NEXT) != 0; i++) {
            at = Short.toUnsignedInt(table.get(LE_SHORT, 16L * at + 14));
        }
        return (flags(ring, at) & INDIRECT) != 0;
    }

    /** Every second element has the id of the one before, which was already returned. */
    private static Broken idsTwice() {
        int[] count = new int[1];
        int[] last = new int[1];
        return new Broken().eachUsed(element -> {
            Element shown = count[0]++ % 2 == 0 ? element : element.withId(last[0]);
            last[0] = element.id();
            return shown;
        });
    }

    private static Broken moduloSize() {
        int[] size = {1};
        return new Broken()
                .taking(Request.SET_VRING_NUM, message -> {
                    size[0] = message.intAt(4);
                    return message;
                })
                .answering(Request.GET_VRING_BASE, message -> message.withInt(4, message.intAt(4) % size[0]));
    }

    /** Serves one request for each kick. */
    private static Broken countsKicks() {
        List<Element> waiting = new ArrayList<>();
        int[] served = new int[1];
        return new Broken().usedAs((ring, elements) -> {
            waiting.addAll(elements);
            List<Element> shown = new ArrayList<>();
            while (!waiting.isEmpty() && served[0] < ring.kicks()) {
                shown.add(waiting.removeFirst());
                served[0]++;
            }
            return shown;
        });
    }

    private static boolean flagsSayNo(RingRelay ring) {
        MemorySegment driver = ring.driverArea;
        return ring.has(Features.EVENT_IDX) && driver != null && (driver.get(LE_SHORT, 0) & NO_CALL) != 0;
    }

    private static Mutation base(String requirement, String name, boolean packed, IntUnaryOperator change) {
        return of(
                requirement,
                name,
                () -> new Broken()
                        .onReply(
                                Request.GET_VRING_BASE,
                                (message, line) -> List.of(
                                        isPacked(line) == packed
                                                ? message.withInt(4, change.applyAsInt(message.intAt(4)))
                                                : message)));
    }

    private static Broken endsAtIdleKick() {
        return new Broken().relaying().onIdleKick(Line::end);
    }

    private static Broken enabledAtStart() {
        return new Broken()
                .onRequest(
                        Request.SET_VRING_KICK,
                        (message, line) -> List.of(
                                message,
                                Message.request(
                                        Request.SET_VRING_ENABLE, Payload.ring((int) message.longAt(0) & 0xff, 1))));
    }

    /** Returns a position as if the ring stopped, and lets it continue. */
    static Broken neverStops() {
        return new Broken().relaying().onRequest(Request.GET_VRING_BASE, (message, line) -> {
            for (RingRelay ring : line.rings()) {
                if (ring.index() == message.intAt(0) && ring instanceof SplitRelay split) {
                    line.toFrontEnd(
                            Message.reply(Request.GET_VRING_BASE, Payload.ring(ring.index(), split.published())));
                    return List.of();
                }
            }
            return List.of(message);
        });
    }

    private static Broken startsAtKick() {
        return new Broken().onStart(RingRelay::holdUntilKicked);
    }

    private static Broken beginsAtZeroAgain() {
        boolean[] stopped = new boolean[1];
        return new Broken()
                .before(Request.GET_VRING_BASE, line -> stopped[0] = true)
                .taking(Request.SET_VRING_BASE, message -> stopped[0] ? message.withInt(4, 0) : message);
    }

    private static Broken usedFromZero() {
        return new Broken().onStart(ring -> {
            MemorySegment device = ring.deviceArea;
            if (device != null && !ring.isPacked()) {
                device.set(LE_SHORT, 2, (short) 0);
                device.set(LE_INT, 4, -1);
            }
        });
    }

    /** Repeats an action for a while after a ring was stopped. */
    private static Broken afterStop(Consumer<Line> act) {
        long[] next = new long[1];
        int[] left = new int[1];
        return new Broken()
                .relaying()
                .onReply(Request.GET_VRING_BASE, (message, line) -> {
                    left[0] = REPETITIONS;
                    next[0] = System.nanoTime() + INTERVAL_NANOS;
                    return List.of(message);
                })
                .onTick(line -> {
                    if (left[0] > 0 && System.nanoTime() > next[0]) {
                        left[0]--;
                        next[0] = System.nanoTime() + INTERVAL_NANOS;
                        act.accept(line);
                    }
                });
    }

    /** Writes the beginning of each region, and advances the used indexes. */
    static Broken writesAfterStop() {
        return afterStop(line -> {
            for (GuestView.Shared region : line.memory().regions()) {
                region.bytes()
                        .asSlice(0, Math.min(region.bytes().byteSize(), 64 << 10))
                        .fill((byte) 0x77);
            }
            for (RingRelay ring : line.rings()) {
                MemorySegment device = ring.deviceArea;
                if (device != null) {
                    device.set(LE_SHORT, 2, (short) (device.get(LE_SHORT, 2) + 1));
                }
            }
        });
    }

    private static Broken deafAfterStop() {
        boolean[] stopped = new boolean[1];
        return new Broken()
                .onReply(Request.GET_VRING_BASE, (message, line) -> {
                    stopped[0] = true;
                    return List.of(message);
                })
                .onEveryRequest((message, line) -> {
                    if (stopped[0] && message.request() != Request.GET_VRING_BASE) {
                        message.close();
                        return List.of();
                    }
                    return List.of(message);
                });
    }
}
