package org.exomem.conform.checks.memory;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Comparator;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.MovedRequest;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.exomem.linux.Fd;

/** SET_MEM_TABLE. */
final class TableChecks {
    private static final long MIB = 1 << 20;
    private static final long UPPER = 8 * MIB;

    static final List<Check> ALL = RingKind.join(
            RingKind.splitAndPacked(
                    "vhost.memory.7", "A new memory table replaces the previous one", TableChecks::newTableReplaces),
            List.of(
                    Check.of(
                            "vhost.memory.7",
                            "The regions of a memory table may be in any order",
                            TableChecks::regionsInAnyOrder),
                    Check.of(
                            "vhost.memory.8",
                            "The descriptors of a memory table belong to its regions in the same order",
                            TableChecks::descriptorsAreInOrder)));

    private TableChecks() {}

    private static void newTableReplaces(Trial trial, RingKind kind) throws Exception {
        Session session = trial.session(kind.wish().withoutProtocol(Protocol.CONFIGURE_MEM_SLOTS))
                .start();
        session.serve();
        List<Integer> bases = session.stop();
        GuestRam ram = session.ram();
        GuestRam other = trial.closeLater(sameLayout(ram));
        List<Region> regions = session.device().wireRegions();
        session.frontEnd()
                .setMemTable(
                        regions,
                        regions.stream().map(region -> other.file().fd()).toList());
        RingDriver ring = session.ring();
        ring.add(session.request().prepare());
        own(other).copyFrom(own(ram));
        MemorySegment before = copyOf(ringOf(ring, ram));
        session.goOn(bases);
        ring.kickFd().signal();
        boolean served = trial.within(() -> moved(ring, other, kind));
        trial.expect(
                ringOf(ring, ram).mismatch(before) < 0,
                "after SET_MEM_TABLE with another file, the ring was processed in the file of the previous table");
        trial.expect(
                served,
                "after SET_MEM_TABLE with another file, the request in that file was not served within "
                        + session.limits().answer().toMillis() + " ms");
        own(ram).copyFrom(own(other));
        session.verify(used(ring));
    }

    private static void regionsInAnyOrder(Trial trial) throws Exception {
        GuestRam ram = trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, 4 * MIB, UPPER, 4 * MIB)));
        Session session = trial.session(Wish.USUAL.withoutProtocol(Protocol.CONFIGURE_MEM_SLOTS), ram);
        session.ring();
        List<Region> reversed = session.device().wireRegions().reversed();
        session.frontEnd()
                .setMemTable(
                        reversed,
                        reversed.stream().map(region -> ram.file().fd()).toList());
        session.start();
        session.serve();
        AddressChecks.serveAt(session, UPPER + 64);
    }

    private static void descriptorsAreInOrder(Trial trial) throws Exception {
        GuestRam ram = trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, 4 * MIB, UPPER, 4 * MIB)));
        Session session = trial.session(Wish.USUAL.withoutProtocol(Protocol.CONFIGURE_MEM_SLOTS), ram);
        RingDriver ring = session.ring();
        GuestRam other = trial.closeLater(sameLayout(ram));
        List<Region> regions = session.device().wireRegions();
        List<Fd> files = regions.stream()
                .map(region ->
                        (region.guestAddress() == UPPER ? other : ram).file().fd())
                .toList();
        session.frontEnd().setMemTable(regions, files);
        MovedRequest moved = MovedRequest.to(ram, session.request().prepare(), UPPER + 64);
        copy(ram, other, UPPER);
        ram.bytes(UPPER, 4 * MIB).fill((byte) 0xff);
        session.device().start();
        int id = ring.add(moved.buffers());
        ring.kick();
        Used used = ring.await(session.limits().answer());
        trial.expect(used.id() == id, "chain " + used.id() + " was used, not chain " + id);
        copy(other, ram, UPPER);
        moved.bringBack();
        session.verify(used);
    }

    private static Used used(RingDriver ring) {
        Used used = ring.poll();
        if (used == null) {
            throw new Unmet("the used entry has disappeared");
        }
        return used;
    }

    private static void copy(GuestRam from, GuestRam to, long region) {
        to.bytes(region, 4 * MIB).copyFrom(from.bytes(region, 4 * MIB));
    }

    private static GuestRam sameLayout(GuestRam ram) throws Exception {
        return GuestRam.ofLayout(ram.regions().stream()
                .sorted(Comparator.comparingLong(Region::fileOffset))
                .flatMap(region -> List.of(region.guestAddress(), region.size()).stream())
                .mapToLong(Long::longValue)
                .toArray());
    }

    /** The check's own memory, without the regions of a device, which may be large. */
    private static MemorySegment own(GuestRam ram) {
        return ram.bytes(0, 2 * UPPER);
    }

    /** Whether the device has used the first request in a copy of the guest memory. */
    private static boolean moved(RingDriver ring, GuestRam copy, RingKind kind) {
        if (kind.isPacked()) {
            int slot = ring.usedBase() & 0x7fff;
            int flags = copy.getShort(ring.descriptors() + 16L * slot + 14);
            return ((flags & (1 << 7)) != 0) == ((flags & (1 << 15)) != 0);
        }
        return copy.getShort(ring.deviceArea() + 2) != ring.usedBase();
    }

    /** The part of a ring that a device writes when it uses a buffer. */
    private static MemorySegment ringOf(RingDriver ring, GuestRam ram) {
        long descriptors = 16L * ring.size();
        long end = ring.deviceArea() + 4 + 8L * ring.size();
        return ram.bytes(ring.descriptors(), Math.max(descriptors, end - ring.descriptors()));
    }

    private static MemorySegment copyOf(MemorySegment segment) {
        return MemorySegment.ofArray(segment.toArray(ValueLayout.JAVA_BYTE));
    }
}
