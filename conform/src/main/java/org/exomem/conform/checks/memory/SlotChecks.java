package org.exomem.conform.checks.memory;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketTimeoutException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Outcome;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.Poll;
import org.exomem.linux.SharedFile;

/** Regions that are added and removed one by one (CONFIGURE_MEM_SLOTS). */
final class SlotChecks {
    private static final long MIB = 1 << 20;
    private static final long UPPER = 8 * MIB;
    private static final long UPPER_SIZE = 4 * MIB;
    /** Guest and user addresses that no other region has. */
    private static final long ADDRESS = 1L << 38;

    private static final long USER_ADDRESS = 1L << 44;
    /** The largest number of regions that is tried, even if the back-end supports more. */
    private static final int MOST_SLOTS = 1024;

    private static final Wish SLOTS = Wish.USUAL.withProtocol(Protocol.CONFIGURE_MEM_SLOTS);

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.memory.9",
                    "The back-end accepts as many regions as GET_MAX_MEM_SLOTS reports",
                    SlotChecks::asManySlotsAsTold),
            Check.of("vhost.memory.11", "Buffers in a region that was added are accessed", SlotChecks::addedIsUsed),
            Check.of("vhost.memory.12", "A region that was removed is no longer mapped", SlotChecks::removedIsUnmapped),
            Check.of(
                    "vhost.memory.13",
                    "REM_MEM_REG removes a region only if guest address, user address and size match",
                    SlotChecks::removalComparesAll),
            Check.of(
                    "vhost.memory.14",
                    "REM_MEM_REG removes a region whatever file offset it names",
                    SlotChecks::removalIgnoresOffset),
            Check.of(
                            "vhost.memory.17",
                            "A descriptor that is sent with REM_MEM_REG is closed",
                            SlotChecks::descriptorOfRemovalIsClosed)
                    .and("vhost.memory.16"));

    private SlotChecks() {}

    private static void asManySlotsAsTold(Trial trial) throws Exception {
        Session session = trial.session(SLOTS);
        long slots = session.frontEnd().getMaxMemSlots();
        int present = session.device().wireRegions().size();
        trial.expect(
                slots >= present,
                "GET_MAX_MEM_SLOTS reports " + slots + ", but " + present + " regions were already accepted");
        int more = (int) Math.min(slots, MOST_SLOTS) - present;
        SharedFile file = trial.closeLater(SharedFile.memfd("slots", Math.max(1, more) * GuestRam.PAGE));
        for (int i = 0; i < more; i++) {
            Region region = new Region(
                    ADDRESS + 2 * i * GuestRam.PAGE,
                    GuestRam.PAGE,
                    USER_ADDRESS + 2 * i * GuestRam.PAGE,
                    i * GuestRam.PAGE);
            Outcome outcome = session.attempt(Request.ADD_MEM_REG, Payload.region(region), List.of(file.fd()));
            trial.expect(
                    outcome instanceof Outcome.Accepted,
                    "GET_MAX_MEM_SLOTS reports " + slots + ", but region " + (present + i + 1) + " was not accepted: "
                            + outcome);
        }
    }

    private static void addedIsUsed(Trial trial) throws Exception {
        Session session = twoRegions(trial);
        AddressChecks.serveAt(session, UPPER + 64);
        Region upper = upper(session);
        session.frontEnd().removeMemoryRegion(upper);
        session.serve();
        session.frontEnd().addMemoryRegion(upper, session.ram().file().fd());
        AddressChecks.serveAt(session, UPPER + 64);
    }

    private static void removedIsUnmapped(Trial trial) throws Exception {
        Session session = trial.session(SLOTS);
        SharedFile file = trial.closeLater(SharedFile.memfd("removed", MIB));
        Region region = new Region(ADDRESS, MIB, USER_ADDRESS, 0);
        session.frontEnd().addMemoryRegion(region, file.fd());
        session.frontEnd().removeMemoryRegion(region);
        session.settle();
        trial.expect(
                trial.within(() -> unmapped(file)),
                "the region's file is still mapped writable "
                        + session.limits().answer().toMillis() + " ms after REM_MEM_REG");
    }

    private static boolean unmapped(SharedFile file) {
        try {
            return file.sealAgainstWrites();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void removalComparesAll(Trial trial) throws Exception {
        for (Difference difference : Difference.values()) {
            Session session = twoRegions(trial);
            Outcome outcome =
                    session.attempt(Request.REM_MEM_REG, Payload.region(difference.of(upper(session))), List.of());
            String what = "REM_MEM_REG of a region with another " + difference.what;
            trial.transcript().say(what + ": " + outcome);
            if (outcome instanceof Outcome.ClosedConnection) {
                trial.refused(what);
            } else {
                // A reply of success is allowed, as long as the present region stays.
                requireServed(session, what);
            }
            session.device().close();
        }
    }

    private static void requireServed(Session session, String what) throws Exception {
        try {
            AddressChecks.serveAt(session, UPPER + 64);
        } catch (SocketTimeoutException e) {
            throw new Unmet(
                    "after " + what + ", a request whose buffers are in the region was not served: " + e.getMessage());
        }
    }

    private enum Difference {
        GUEST_ADDRESS("guest address"),
        USER_ADDRESS("user address"),
        SIZE("size");

        private final String what;

        Difference(String what) {
            this.what = what;
        }

        private Region of(Region region) {
            long guest = region.guestAddress() + (this == GUEST_ADDRESS ? GuestRam.PAGE : 0);
            long size = region.size() - (this == SIZE ? GuestRam.PAGE : 0);
            long user = region.userAddress() + (this == USER_ADDRESS ? GuestRam.PAGE : 0);
            return new Region(guest, size, user, region.fileOffset());
        }
    }

    private static void removalIgnoresOffset(Trial trial) throws Exception {
        Session session = trial.session(SLOTS);
        SharedFile file = trial.closeLater(SharedFile.memfd("removed", 2 * MIB));
        session.frontEnd().addMemoryRegion(new Region(ADDRESS, MIB, USER_ADDRESS, MIB), file.fd());
        Outcome outcome = session.attempt(
                Request.REM_MEM_REG, Payload.region(new Region(ADDRESS, MIB, USER_ADDRESS, 0)), List.of());
        trial.expect(
                outcome instanceof Outcome.Accepted,
                "REM_MEM_REG with another file offset than ADD_MEM_REG had was not accepted: " + outcome);
        trial.expect(
                trial.within(() -> unmapped(file)),
                "REM_MEM_REG with another file offset than ADD_MEM_REG had left the region mapped");
    }

    private static void descriptorOfRemovalIsClosed(Trial trial) throws Exception {
        Session session = trial.session(SLOTS);
        SharedFile file = trial.closeLater(SharedFile.memfd("removed", MIB));
        Region region = new Region(ADDRESS, MIB, USER_ADDRESS, 0);
        session.frontEnd().addMemoryRegion(region, file.fd());
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        Fd readEnd = trial.closeLater(pipe.readEnd());
        try (Fd writeEnd = pipe.writeEnd()) {
            Outcome outcome = session.attempt(Request.REM_MEM_REG, Payload.region(region), List.of(writeEnd));
            trial.transcript().say("REM_MEM_REG with a descriptor: " + outcome);
            if (outcome instanceof Outcome.ClosedConnection) {
                trial.refused("a descriptor with REM_MEM_REG");
            }
        }
        trial.expect(
                Poll.readable(readEnd, session.limits().answer()),
                "the descriptor that was sent with REM_MEM_REG is still open after "
                        + session.limits().answer().toMillis() + " ms");
    }

    private static Session twoRegions(Trial trial) throws Exception {
        GuestRam ram = trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, 4 * MIB, UPPER, UPPER_SIZE)));
        return trial.session(SLOTS, ram).start();
    }

    private static Region upper(Session session) {
        return session.device().wireRegions().stream()
                .filter(region -> region.guestAddress() == UPPER)
                .findFirst()
                .orElseThrow();
    }
}
