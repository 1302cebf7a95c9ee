package org.exomem.conform.checks.hostile;

import java.io.IOException;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.InflightArea;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.Mapping;
import org.exomem.linux.Poll;
import org.exomem.linux.SharedFile;

/** Rings of drivers that break the rules. */
final class RingAttacks {
    private static final int NEXT = 1;
    private static final int WRITE = 2;
    private static final int INDIRECT = 4;
    private static final int AVAILABLE = 1 << 7;
    private static final int DATA_SIZE = 8192;
    private static final long OUTSIDE = KnownMessage.FAR;

    static final List<Check> ALL = checks();

    private RingAttacks() {}

    /** A ring that a hostile driver writes, at its first position, with 8 KiB of memory for buffers and tables. */
    private record Hostile(GuestRam ram, RingDriver ring, long data) {
        // Split rings

        void available(int index) {
            ram.putShort(ring.driverArea() + 2, index);
        }

        /** Makes the chain that begins with descriptor {@code head} available as the first one. */
        void publish(int head) {
            ram.putShort(ring.driverArea() + 4, head);
            available(1);
        }

        /** Writes a descriptor of a split ring, or of an indirect table at an address. */
        void entry(long at, long address, long length, int flags, int next) {
            ram.putLong(at, address);
            ram.putInt(at + 8, (int) length);
            ram.putShort(at + 12, flags);
            ram.putShort(at + 14, next);
        }

        void put(int index, long address, long length, int flags, int next) {
            entry(ring.descriptors() + 16L * index, address, length, flags, next);
        }

        // Packed rings

        void slot(int index, long address, long length, int id, int flags) {
            entry(ring.descriptors() + 16L * index, address, length, id, flags);
        }
    }

    @FunctionalInterface
    private interface Writing {
        void into(Hostile hostile);
    }

    private static List<Check> checks() {
        List<Check> all = new ArrayList<>();
        split(
                all,
                "robust.ring.1",
                "an available index that jumps",
                0,
                h -> h.available(h.ring().size() + 2));
        split(all, "robust.ring.1", "an available index that moves backwards", 0, h -> h.available(0xffff));
        split(all, "robust.ring.1", "an available index in the middle of its range", 0, h -> h.available(0x8000));
        split(
                all,
                "robust.ring.1",
                "a head outside of the table",
                0,
                h -> h.publish(h.ring().size()));
        split(all, "robust.ring.1", "a head of 65535", 0, h -> h.publish(0xffff));
        chain(all, "robust.ring.2", "a descriptor that is its own next", 0, h -> h.put(5, h.data(), 16, NEXT, 5));
        chain(all, "robust.ring.2", "a pair of descriptors that follow each other", 0, h -> {
            h.put(5, h.data(), 16, NEXT, 6);
            h.put(6, h.data(), 16, NEXT, 5);
        });
        chain(all, "robust.ring.2", "a chain through all descriptors and back", 0, h -> {
            for (int i = 0; i < h.ring().size(); i++) {
                h.put(i, h.data(), 16, NEXT, (i + 1) % h.ring().size());
            }
        });
        chain(
                all,
                "robust.ring.2",
                "a next index outside of the table",
                0,
                h -> h.put(5, h.data(), 16, NEXT, h.ring().size()));
        chain(all, "robust.ring.3", "a readable buffer outside of memory", 0, h -> h.put(5, OUTSIDE, 16, 0, 0));
        chain(all, "robust.ring.3", "a writable buffer outside of memory", 0, h -> h.put(5, OUTSIDE, 16, WRITE, 0));
        chain(all, "robust.ring.3", "a buffer that extends past memory", 0, h -> h.put(5, h.data(), 1L << 31, 0, 0));
        chain(all, "robust.ring.3", "a writable buffer of 4 GiB", 0, h -> h.put(5, h.data(), 0xffff_ffffL, WRITE, 0));
        chain(all, "robust.ring.3", "a buffer whose end wraps", 0, h -> h.put(5, -16, 64, WRITE, 0));
        chain(all, "robust.ring.4", "a descriptor of no bytes", 0, h -> h.put(5, h.data(), 0, 0, 0));
        chain(all, "robust.ring.4", "a readable descriptor after a writable one", 0, h -> {
            h.put(5, h.data(), 16, WRITE | NEXT, 6);
            h.put(6, h.data(), 16, 0, 0);
        });
        chain(all, "robust.ring.4", "a chain of one byte", 0, h -> h.put(5, h.data(), 1, 0, 0));
        chain(all, "robust.ring.4", "a chain of one writable byte", 0, h -> h.put(5, h.data(), 1, WRITE, 0));
        splitTables(all);
        packed(all);
        all.add(Check.of(
                "robust.ring.6",
                "an in-flight area of a wrong size affects only its own session",
                RingAttacks::wrongAreas));
        all.add(Check.of(
                "robust.ring.6",
                "an in-flight area with invalid content affects only its own session",
                RingAttacks::nonsense));
        return List.copyOf(all);
    }

    private static void splitTables(List<Check> all) {
        long with = Features.INDIRECT_DESC;
        String id = "robust.ring.5";
        chain(all, id, "an indirect table of no bytes", with, h -> h.put(5, h.data(), 0, INDIRECT, 0));
        chain(all, id, "an indirect table of 17 bytes", with, h -> h.put(5, h.data(), 17, INDIRECT, 0));
        chain(all, id, "an indirect table outside of memory", with, h -> h.put(5, OUTSIDE, 16, INDIRECT, 0));
        chain(all, id, "an indirect table of 4 GiB", with, h -> h.put(5, h.data(), 0xffff_fff0L, INDIRECT, 0));
        chain(all, id, "an indirect descriptor with a next", with, h -> {
            h.put(5, h.data(), 16, INDIRECT | NEXT, 6);
            h.put(6, h.data(), 16, 0, 0);
        });
        chain(all, id, "an indirect table in an indirect table", with, h -> {
            h.put(5, h.data(), 16, INDIRECT, 0);
            h.entry(h.data(), h.data(), 16, INDIRECT, 0);
        });
        chain(all, id, "an indirect table that loops", with, h -> {
            h.put(5, h.data(), 32, INDIRECT, 0);
            h.entry(h.data(), h.data(), 16, NEXT, 0);
        });
        chain(all, id, "an indirect next index outside of the table", with, h -> {
            h.put(5, h.data(), 32, INDIRECT, 0);
            h.entry(h.data(), h.data(), 16, NEXT, 2);
        });
        chain(all, id, "an indirect table without the feature", 0, h -> {
            h.put(5, h.data(), 16, INDIRECT, 0);
            h.entry(h.data(), h.data() + 4096, 16, 0, 0);
        });
    }

    private static void packed(List<Check> all) {
        packed(all, "robust.ring.2", "a list through all descriptors without an end", 0, h -> {
            for (int i = h.ring().size() - 1; i >= 0; i--) {
                h.slot(i, h.data(), 16, i, AVAILABLE | NEXT);
            }
        });
        packed(
                all,
                "robust.ring.2",
                "a list that continues at an unavailable descriptor",
                0,
                h -> h.slot(0, h.data(), 16, 0, AVAILABLE | NEXT));
        packed(
                all,
                "robust.ring.1",
                "a buffer id outside of the ring",
                0,
                h -> h.slot(0, h.data(), 16, h.ring().size(), AVAILABLE));
        packed(all, "robust.ring.4", "a descriptor of no bytes", 0, h -> h.slot(0, h.data(), 0, 0, AVAILABLE));
        packed(all, "robust.ring.3", "a buffer outside of memory", 0, h -> h.slot(0, OUTSIDE, 16, 0, AVAILABLE));
        packed(all, "robust.ring.3", "a buffer whose end wraps", 0, h -> h.slot(0, -16, 64, 0, AVAILABLE | WRITE));
        packed(all, "robust.ring.4", "a readable descriptor after a writable one", 0, h -> {
            h.slot(1, h.data(), 16, 0, AVAILABLE);
            h.slot(0, h.data(), 16, 0, AVAILABLE | NEXT | WRITE);
        });
        long with = Features.INDIRECT_DESC;
        String id = "robust.ring.5";
        packed(all, id, "an indirect table of no bytes", with, h -> h.slot(0, h.data(), 0, 0, AVAILABLE | INDIRECT));
        packed(all, id, "an indirect table of 17 bytes", with, h -> h.slot(0, h.data(), 17, 0, AVAILABLE | INDIRECT));
        packed(
                all,
                id,
                "an indirect table outside of memory",
                with,
                h -> h.slot(0, OUTSIDE, 16, 0, AVAILABLE | INDIRECT));
        packed(all, id, "an indirect descriptor in a list", with, h -> {
            h.slot(1, h.data(), 16, 0, AVAILABLE | INDIRECT);
            h.slot(0, h.data(), 16, 0, AVAILABLE | NEXT);
        });
    }

    /** Adds an attack with a chain that begins at descriptor 5. */
    private static void chain(List<Check> all, String requirement, String name, long features, Writing writing) {
        split(all, requirement, name, features, hostile -> {
            writing.into(hostile);
            hostile.publish(5);
        });
    }

    private static void split(List<Check> all, String requirement, String name, long features, Writing writing) {
        all.add(check(requirement, name, "split ring", Wish.USUAL.with(features), writing));
    }

    private static void packed(List<Check> all, String requirement, String name, long features, Writing writing) {
        all.add(check(requirement, name, "packed ring", Wish.USUAL.with(features | Features.RING_PACKED), writing));
    }

    private static Check check(String requirement, String name, String kind, Wish wish, Writing writing) {
        return Check.of(
                requirement,
                kind + ": " + name + " affects only its own session",
                trial -> contained(trial, wish, kind + " with " + name, writing));
    }

    private static void contained(Trial trial, Wish wish, String name, Writing writing) throws Exception {
        Session session = trial.running(wish);
        long data = session.ram().allocateZeroed(DATA_SIZE, GuestRam.PAGE);
        RingDriver ring = session.ring();
        trial.transcript().say("attack: a " + name);
        writing.into(new Hostile(session.ram(), ring, data));
        ring.kickFd().signal();
        awaitTaken(trial, ring);
        // A back-end that loops in the ring does not answer.
        Attack.tolerate(trial, () -> session.frontEnd().getVringBase(ring.index()));
        session.device().close();
        Attack.expectServed(trial, "a " + name);
    }

    /**
     * Returns when the back-end has read the kick, or after a while: a back-end that polls its rings, or has stopped
     * this one, never reads it.
     */
    static void awaitTaken(Trial trial, RingDriver ring) throws IOException {
        long end = System.nanoTime() + trial.limits().quiet().toNanos() / 5;
        while (Poll.readable(ring.kickFd().fd(), Duration.ZERO) && System.nanoTime() < end) {
            Thread.onSpinWait();
        }
    }

    // In-flight areas

    private static final Wish INFLIGHT = Wish.USUAL.withProtocol(Protocol.INFLIGHT_SHMFD);
    private static final int RING_SIZE = 64;

    private static void wrongAreas(Trial trial) throws Exception {
        long file = 64 << 10;
        List<InflightArea> areas = List.of(
                new InflightArea(0, 0, 1, RING_SIZE),
                new InflightArea(64, 0, 1, RING_SIZE),
                new InflightArea(file, 1 << 20, 1, RING_SIZE),
                new InflightArea(-4096, 8192, 1, RING_SIZE),
                new InflightArea(file * 16, 0, 1, RING_SIZE),
                new InflightArea(file, 8, 0xffff, 0xffff),
                new InflightArea(file, 0, 0, 0));
        for (InflightArea area : areas) {
            trial.transcript().say("attack: " + area);
            Session session = trial.session(INFLIGHT);
            try (SharedFile memory = SharedFile.memfd("inflight", file)) {
                Attack.tolerate(trial, () -> {
                    session.frontEnd().setInflightFd(new FrontEnd.Inflight(area, memory));
                    session.start();
                    session.ring().kickFd().signal();
                    awaitTaken(trial, session.ring());
                    session.settle();
                });
            }
            session.device().close();
            Attack.expectServed(trial, "one with " + area);
        }
    }

    /** Shares in-flight areas whose bytes all have one value, with and without a valid version. */
    private static void nonsense(Trial trial) throws Exception {
        for (int value : new int[] {0xff, 1, 0x55}) {
            for (boolean versionOne : new boolean[] {false, true}) {
                String name = "an in-flight area filled with byte " + value + (versionOne ? ", version 1" : "");
                trial.transcript().say("attack: " + name);
                Session session = trial.session(INFLIGHT);
                FrontEnd frontEnd = session.frontEnd();
                int queues = session.device().rings().size();
                try (FrontEnd.Inflight inflight = frontEnd.getInflightFd(Math.max(1, queues), RING_SIZE)) {
                    fill(inflight, value, versionOne);
                    Attack.tolerate(trial, () -> {
                        frontEnd.setInflightFd(inflight);
                        session.start();
                        session.ring().kickFd().signal();
                        awaitTaken(trial, session.ring());
                        session.settle();
                    });
                }
                session.device().close();
                Attack.expectServed(trial, "one with " + name);
            }
        }
    }

    private static void fill(FrontEnd.Inflight inflight, int value, boolean versionOne) throws IOException {
        InflightArea area = inflight.area();
        try (Mapping mapping = Mapping.of(inflight.file(), area.offset(), area.size())) {
            mapping.segment().fill((byte) value);
            if (versionOne) {
                // Features 0, version 1, and as many entries as the ring has.
                mapping.segment()
                        .asSlice(0, 12)
                        .asByteBuffer()
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(0, 0)
                        .putShort(8, (short) 1)
                        .putShort(10, (short) RING_SIZE);
            }
        }
    }
}
