package org.exomem.conform.checks.rings;

import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;

/** Indirect tables (INDIRECT_DESC). */
final class IndirectChecks {
    private static final int NEXT = 1;
    private static final int WRITE = 2;
    private static final int INDIRECT = 4;
    private static final int ENTRY = 16;

    static final List<Check> ALL = RingKind.join(
            RingKind.each(
                    "ring.split.indirect.7", "A request in an indirect table is served", IndirectChecks::tableIsServed),
            List.of(
                    Check.of(
                            "ring.split.indirect.7",
                            "A chain of direct descriptors that ends with an indirect one is served",
                            IndirectChecks::directThenIndirect),
                    Check.of(
                            "ring.split.indirect.6",
                            "WRITE in a descriptor of an indirect table is ignored",
                            IndirectChecks::writeIsIgnored)));

    private IndirectChecks() {}

    private static void tableIsServed(Trial trial, RingKind kind) throws Exception {
        Session session = trial.running(kind.wish().with(Features.INDIRECT_DESC));
        RingDriver ring = session.ring();
        for (int pieces = 1; pieces <= 4; pieces++) {
            ring.addIndirect(session.prepareInPieces(pieces));
            ring.kick();
            Rings.await(session);
        }
    }

    private static void directThenIndirect(Trial trial) throws Exception {
        Session session = trial.running(RingKind.SPLIT.wish().with(Features.INDIRECT_DESC));
        for (int direct = 1; direct < session.prepareInPieces(3).size(); direct++) {
            serveLastIndirect(session, session.prepareInPieces(3), direct, INDIRECT);
        }
    }

    private static void writeIsIgnored(Trial trial) throws Exception {
        Session session = trial.running(RingKind.SPLIT.wish().with(Features.INDIRECT_DESC));
        List<Buffer> chain = session.prepareInPieces(2);
        serveLastIndirect(session, chain, 0, INDIRECT | WRITE);
    }

    /**
     * Serves a chain whose first descriptors are direct and whose others are in a table. The ring is stopped while the
     * chain is written.
     */
    private static void serveLastIndirect(Session session, List<Buffer> chain, int direct, int flags) throws Exception {
        RingDriver ring = session.ring();
        GuestRam ram = session.ram();
        List<Buffer> tail = chain.subList(direct, chain.size());
        long table = ram.allocate((long) tail.size() * ENTRY, ENTRY);
        for (int i = 0; i < tail.size(); i++) {
            Buffer buffer = tail.get(i);
            boolean last = i == tail.size() - 1;
            long entry = table + (long) i * ENTRY;
            ram.putLong(entry, buffer.address());
            ram.putInt(entry + 8, (int) buffer.length());
            ram.putShort(entry + 12, (last ? 0 : NEXT) | (buffer.writable() ? WRITE : 0));
            ram.putShort(entry + 14, last ? 0 : i + 1);
        }
        List<Buffer> descriptors = new ArrayList<>(chain.subList(0, direct));
        descriptors.add(Buffer.readable(table, (long) tail.size() * ENTRY));
        List<Integer> bases = session.stop();
        int descriptor = ring.add(descriptors);
        for (int i = 0; i < direct; i++) {
            descriptor = ram.getShort(ring.descriptors() + (long) ENTRY * descriptor + 14);
        }
        ram.putShort(ring.descriptors() + (long) ENTRY * descriptor + 12, flags);
        session.goOn(bases);
        ring.kickFd().signal();
        Rings.await(session);
    }
}
