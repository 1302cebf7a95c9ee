package org.exomem.conform.checks.rings;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.MovedRequest;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;

/** Buffers and descriptors: which bytes the device reads and writes, and which it must not touch. */
final class BufferChecks {
    private static final int MOST_PIECES = 8;
    private static final int QUICK_TRANSFERS = 200;

    static final List<Check> ALL = RingKind.join(
            cuts(RingKind.SPLIT, "ring.split.framing.1"),
            cuts(RingKind.SPLIT_EVENTS, "ring.split.framing.1"),
            cuts(RingKind.PACKED, "ring.packed.list.7"),
            cuts(RingKind.PACKED_EVENTS, "ring.packed.list.7"),
            List.of(
                    Check.of(
                            "ring.split.desc.1",
                            "The device changes no device-readable buffers of a split ring and no bytes next to"
                                    + " buffers",
                            trial -> readablesStay(trial, RingKind.SPLIT)),
                    Check.of(
                            "ring.packed.desc.1",
                            "The device changes no device-readable buffers of a packed ring and no bytes next to"
                                    + " buffers",
                            trial -> readablesStay(trial, RingKind.PACKED)),
                    Check.of(
                            "ring.split.used.1",
                            "A used entry and the answer of its request are complete when the used index moves",
                            BufferChecks::usedEntryIsWhole),
                    Check.of(
                            "ring.packed.desc.3",
                            "A descriptor of a packed ring is not used until its AVAIL bit changes",
                            BufferChecks::unavailableIsLeftAlone),
                    Check.of(
                            "ring.packed.desc.4",
                            "A descriptor of a packed ring does not change after it was used",
                            BufferChecks::usedDescriptorStays),
                    Check.of(
                            "reserved.18",
                            "With IN_ORDER, buffers of a split ring are used in the order in which they were made"
                                    + " available",
                            trial -> inOrder(trial, RingKind.SPLIT)),
                    Check.of(
                            "reserved.18",
                            "With IN_ORDER, buffers of a packed ring are used in the order in which they were made"
                                    + " available",
                            trial -> inOrder(trial, RingKind.PACKED))),
            RingKind.some(
                    List.of(RingKind.SPLIT, RingKind.SPLIT_EVENTS),
                    "ring.split.desc.4",
                    "The device does not change the descriptor table",
                    BufferChecks::tableStays),
            RingKind.each(
                    "ring.split.used.2",
                    "The device writes as many bytes as the used length states",
                    BufferChecks::usedLengthIsWritten));

    private BufferChecks() {}

    private static List<Check> cuts(RingKind kind, String requirement) {
        return List.of(Check.of(
                requirement,
                "A request is served however it is divided into descriptors: " + kind,
                trial -> anyCutIsServed(trial, kind)));
    }

    private static void anyCutIsServed(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        for (int pieces = 1; pieces <= MOST_PIECES; pieces++) {
            List<Buffer> chain = session.prepareInPieces(pieces);
            Used used = session.ring().transfer(chain, session.limits().answer());
            session.verify(used);
        }
    }

    private static void readablesStay(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        for (int pieces = 1; pieces <= 3; pieces++) {
            MovedRequest moved = MovedRequest.guarded(session.ram(), session.prepareInPieces(pieces));
            Used used =
                    session.ring().transfer(moved.buffers(), session.limits().answer());
            session.settle();
            moved.requireReadablesKept();
            moved.requireGuardsKept();
            moved.bringBack();
            session.verify(used);
        }
    }

    private static void tableStays(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        RingDriver ring = session.ring();
        Rings.add(session);
        MemorySegment table = session.ram().bytes(ring.descriptors(), 16L * ring.size());
        MemorySegment before = copyOf(table);
        ring.kick();
        Rings.await(session);
        session.settle();
        long differs = table.mismatch(before);
        trial.expect(
                differs < 0,
                "byte " + differs % 16 + " of descriptor " + differs / 16
                        + " has changed after the request was served");
    }

    private static MemorySegment copyOf(MemorySegment segment) {
        return MemorySegment.ofArray(segment.toArray(ValueLayout.JAVA_BYTE));
    }

    private static void usedEntryIsWhole(Trial trial) throws Exception {
        Session session = trial.running(RingKind.SPLIT.wish());
        RingDriver ring = session.ring();
        GuestRam ram = session.ram();
        for (int i = 0; i < QUICK_TRANSFERS; i++) {
            // The entry would have this value if the device moved the index before it wrote the entry.
            ram.putLong(ring.deviceArea() + 4 + 8L * (ring.usedBase() % ring.size()), -1);
            List<Buffer> chain = session.request().prepare();
            ring.add(chain);
            ring.kickFd().signal();
            Used used = spin(session);
            requireWritable(trial, chain, used);
            session.verify(used);
        }
    }

    /** Polls without a pause, to see a used buffer as early as possible. */
    private static Used spin(Session session) {
        long end = System.nanoTime() + session.limits().answer().toNanos();
        while (System.nanoTime() < end) {
            Used used = session.ring().poll();
            if (used != null) {
                return used;
            }
            Thread.onSpinWait();
        }
        throw new Unmet(
                "a request was not served within " + session.limits().answer().toMillis() + " ms");
    }

    private static void requireWritable(Trial trial, List<Buffer> chain, Used used) {
        long writable = chain.stream()
                .filter(Buffer::writable)
                .mapToLong(Buffer::length)
                .sum();
        trial.expect(
                used.written() <= writable,
                "the used length is " + used.written() + ", but the chain has " + writable + " writable bytes");
    }

    private static void usedLengthIsWritten(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish());
        int[] fills = {0x55, 0xaa};
        byte[][] seen = new byte[fills.length][];
        long least = Long.MAX_VALUE;
        for (int i = 0; i < fills.length; i++) {
            MovedRequest moved = MovedRequest.guarded(session.ram(), session.prepareInPieces(2));
            moved.fillWritable(fills[i]);
            Used used =
                    session.ring().transfer(moved.buffers(), session.limits().answer());
            requireWritable(trial, moved.buffers(), used);
            moved.requireGuardsKept();
            seen[i] = moved.writable();
            least = Math.min(least, used.written());
            moved.bringBack();
            session.verify(used);
        }
        for (int at = 0; at < least; at++) {
            trial.expect(
                    seen[0][at] != (byte) fills[0] || seen[1][at] != (byte) fills[1],
                    "the used length is " + least + ", but writable byte " + at + " was not written");
        }
    }

    private static void unavailableIsLeftAlone(Trial trial) throws Exception {
        Session session = trial.running(RingKind.PACKED.wish());
        RingDriver ring = session.ring();
        GuestRam ram = session.ram();
        session.serve();
        List<Buffer> chain = session.request().prepare();
        int slot = ring.base() & 0x7fff;
        long before = ring.descriptors() + 16L * slot;
        // All fields but the flags, as while a driver writes the descriptor.
        for (Buffer buffer : chain) {
            ram.putLong(before, buffer.address());
            ram.putInt(before + 8, (int) buffer.length());
            ram.putShort(before + 12, 1);
            before += 16;
        }
        ring.kickFd().signal();
        trial.expectNever(() -> ring.poll() != null, "the device used a descriptor whose AVAIL bit had not changed");
        session.serve();
    }

    private static void usedDescriptorStays(Trial trial) throws Exception {
        Session session = trial.running(RingKind.PACKED.wish());
        RingDriver ring = session.ring();
        session.serve();
        // Up to the position where the next one begins.
        int used = ring.usedBase() & 0x7fff;
        MemorySegment descriptors = session.ram().bytes(ring.descriptors(), 16L * used);
        MemorySegment before = copyOf(descriptors);
        session.serve();
        session.settle();
        trial.expectNever(
                () -> descriptors.mismatch(before) >= 0,
                "a used descriptor has changed, among the first " + used + " of the ring");
    }

    private static void inOrder(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish().with(Features.IN_ORDER));
        RingDriver ring = session.ring();
        List<Sample.Request> requests = Rings.requests(trial, session, 6);
        for (int round = 0; round < 8; round++) {
            List<Integer> ids = requests.stream()
                    .map(request -> ring.add(request.prepare()))
                    .toList();
            ring.kick();
            for (int id : ids) {
                // The driver itself rejects a used id that is not outstanding, or out of order.
                Used used = ring.await(session.limits().answer());
                trial.expect(used.id() == id, "chain " + used.id() + " was used, but chain " + id + " was next");
            }
        }
    }
}
