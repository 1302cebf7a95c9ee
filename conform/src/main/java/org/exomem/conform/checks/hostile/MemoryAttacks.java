package org.exomem.conform.checks.hostile;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.Fd;

/** Invalid guest memory. */
final class MemoryAttacks {
    private static final long FAR = KnownMessage.FAR;
    private static final int MOST_REGIONS = 8;

    static final List<Check> ALL = List.of(
            Check.of(
                    "robust.memory.1",
                    "invalid memory regions affect only their own connection",
                    trial -> Attack.all(trial, regions())),
            Check.of(
                    "robust.memory.1",
                    "invalid memory tables affect only their own connection",
                    trial -> Attack.all(trial, tables())),
            Check.of(
                    "robust.memory.2",
                    "rings outside of guest memory affect only their own session",
                    trial -> Attack.all(trial, addresses())),
            Check.of(
                    "robust.memory.3",
                    "a memory file that is truncated affects only its own session",
                    trial -> truncated(trial, 0)),
            Check.of(
                    "robust.memory.3",
                    "a memory file that is truncated after the rings affects only its own session",
                    trial -> truncated(trial, 1 << 20)));

    private MemoryAttacks() {}

    private static List<Attack> regions() {
        return List.of(
                region("an empty region", new Region(FAR, 0, FAR, 0)),
                region("a region that overlaps in guest addresses", new Region(4096, 4096, FAR, 0)),
                new Attack(
                        "a region that overlaps in user addresses",
                        session -> share(
                                session, new Region(FAR, 8192, session.ram().userAddress(4096), 0))),
                region("a region that encloses another", new Region(0, 8L << 20, FAR, 0)),
                region("a region whose guest addresses wrap", new Region(-4096, 8192, FAR, 0)),
                region("a region whose user addresses wrap", new Region(FAR, 8192, -4096, 0)),
                region("a region longer than its file", new Region(FAR, 1L << 45, FAR, 0)),
                region("a region after the end of its file", new Region(FAR, 4096, FAR, 1L << 45)),
                region("a region whose offset and size wrap", new Region(FAR, 8192, FAR, -4096)),
                region("a region of half of all addresses", new Region(FAR, Long.MIN_VALUE, FAR, 0)),
                region("a region of all bytes but one", new Region(0, -1, 0, 0)),
                region("a region at an odd offset", new Region(FAR, 4096, FAR, 1)),
                new Attack("the removal of a region that does not exist", session -> {
                    if (session.hasProtocol(Protocol.CONFIGURE_MEM_SLOTS)) {
                        session.attempt(Request.REM_MEM_REG, Payload.region(new Region(FAR, 4096, FAR, 0)), List.of());
                    }
                }),
                new Attack("the removal of a region that contains the rings", session -> {
                    if (session.hasProtocol(Protocol.CONFIGURE_MEM_SLOTS)) {
                        Region first = session.device().wireRegions().getFirst();
                        session.attempt(Request.REM_MEM_REG, Payload.region(first), List.of());
                        session.device().rings().forEach(ring -> ring.kickFd().signal());
                        session.settle();
                    }
                }));
    }

    private static Attack region(String name, Region region) {
        return new Attack(name, session -> share(session, region));
    }

    /** Adds a region, or shares a table of the first region and this one. */
    private static void share(Session session, Region region) throws Exception {
        Fd file = session.ram().file().fd();
        if (session.hasProtocol(Protocol.CONFIGURE_MEM_SLOTS)) {
            session.attempt(Request.ADD_MEM_REG, Payload.region(region), List.of(file));
        } else {
            List<Region> both = List.of(session.device().wireRegions().getFirst(), region);
            session.attempt(Request.SET_MEM_TABLE, Payload.regions(both), List.of(file, file));
        }
    }

    private static List<Attack> tables() {
        return List.of(
                table("a table of nine regions", MOST_REGIONS + 1, MOST_REGIONS + 1, MOST_REGIONS + 1),
                table("a table with fewer descriptors than regions", 2, 2, 1),
                table("a table with more descriptors than regions", 2, 2, 3),
                table("a table that counts more regions than it has", 7, 2, 2),
                table("a table that counts 2^32 - 1 regions", -1, 2, 2),
                table("a table of no regions", 0, 0, 0),
                new Attack("a table with a region twice", session -> {
                    Region region = session.device().wireRegions().getFirst();
                    Fd file = session.ram().file().fd();
                    session.attempt(
                            Request.SET_MEM_TABLE, Payload.regions(List.of(region, region)), List.of(file, file));
                }));
    }

    private static Attack table(String name, int counted, int regions, int files) {
        List<Region> all = LongStream.range(0, regions)
                .mapToObj(i -> new Region(i << 16, 1 << 16, FAR + (i << 16), i << 16))
                .toList();
        byte[] payload = Payload.regions(all);
        ByteBuffer.wrap(payload).order(ByteOrder.nativeOrder()).putInt(0, counted);
        return new Attack(name, session -> {
            List<Fd> fds = new ArrayList<>();
            for (int i = 0; i < files; i++) {
                fds.add(session.ram().file().fd());
            }
            session.attempt(Request.SET_MEM_TABLE, payload, fds);
        });
    }

    private static List<Attack> addresses() {
        return List.of(
                ring("descriptors outside of memory", a -> with(a, FAR, a.used(), a.available())),
                ring("a used ring outside of memory", a -> with(a, a.descriptors(), FAR, a.available())),
                ring("an available ring outside of memory", a -> with(a, a.descriptors(), a.used(), FAR)),
                ring("a ring whose addresses are 0", a -> with(a, 0, 0, 0)),
                ring("a ring at the top of the address space", a -> with(a, -16, -4, -2)),
                ring(
                        "descriptors that are not aligned to 16 bytes",
                        a -> with(a, a.descriptors() + 8, a.used(), a.available())),
                ring(
                        "a used ring that is not aligned to 4 bytes",
                        a -> with(a, a.descriptors(), a.used() + 2, a.available())),
                ring("an available ring at an odd address", a -> with(a, a.descriptors(), a.used(), a.available() + 1)),
                new Attack("a ring that extends past its region", session -> {
                    Region region = session.device().wireRegions().getFirst();
                    long end = region.userAddress() + region.size() - 16;
                    restart(session, a -> with(a, end, end, end));
                }));
    }

    private static Attack ring(String name, UnaryOperator<RingAddresses> bend) {
        return new Attack(name, session -> restart(session, bend));
    }

    private static void restart(Session session, UnaryOperator<RingAddresses> bend) throws Exception {
        RingDriver ring = session.ring();
        session.frontEnd().getVringBase(ring.index());
        session.frontEnd().setVringAddr(bend.apply(ring.addresses(false)));
        session.frontEnd().setVringKick(ring.index(), ring.kickFd());
        session.frontEnd().setVringEnable(ring.index(), true);
        ring.kickFd().signal();
        session.settle();
    }

    private static RingAddresses with(RingAddresses ring, long descriptors, long used, long available) {
        return new RingAddresses(ring.index(), ring.flags(), descriptors, used, available, ring.log());
    }

    /** Truncates the file during a request. From then on, this process can't touch the memory behind the cut either. */
    private static void truncated(Trial trial, long size) throws Exception {
        GuestRam ram = trial.closeLater(Attack.memory(trial));
        Session session = Attack.served(trial, ram, "");
        RingDriver ring = session.ring();
        // The rings and requests are at the bottom of memory. The request's data is then behind the cut.
        ring.add(session.request().prepare());
        trial.transcript().say("the file of guest memory is truncated to " + size + " bytes");
        ram.file().truncate(size);
        ring.kickFd().signal();
        RingAttacks.awaitTaken(trial, ring);
        Attack.tolerate(trial, () -> session.frontEnd().getVringBase(ring.index()));
        session.device().close();
        Attack.expectServed(trial, "one whose memory file was truncated to " + size + " bytes");
    }
}
