package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.EventFd;
import org.exomem.linux.Poll;
import org.exomem.vhostuser.backend.FaultKind;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A driver that breaks the rules of the rings stops only its own queue, until it resets the device. */
class BadRingsTest {
    private static final int NEXT = 1;
    private static final int WRITE = 2;
    private static final int INDIRECT = 4;
    private static final int AVAILABLE = 1 << 7;
    private static final int SIZE = EchoGuest.RING_SIZE;
    private static final long TABLE = 2 << 20;
    private static final long DATA = 3 << 20;
    private static final long OUTSIDE = 1L << 40;

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
        EchoGuest.start(victim).close();
        victim.awaitDisconnected();
    }

    @AfterAll
    static void end() {
        bystander.close();
        other.close();
        victim.close();
    }

    /** What a bad driver writes into its ring; the test kicks. */
    private record Ring(String name, long features, Writing writing) {
        @Override
        public String toString() {
            return name;
        }
    }

    @FunctionalInterface
    private interface Writing {
        void into(GuestRam ram, RingDriver ring);
    }

    @ParameterizedTest(name = "{0}")
    @Tag("VHU-RING-14")
    @MethodSource({"split", "packed"})
    void badRingIsAFaultOfTheDriver(Ring bad) throws Exception {
        HeldResources before = HeldResources.now();
        victim.faults.clear();
        try (EchoGuest guest = EchoGuest.start(victim.connect(), bad.features(), EchoGuest.EVERY_PROTOCOL_FEATURE);
                EventFd error = new EventFd()) {
            guest.assertEcho();
            guest.frontEnd().setVringErr(0, error);
            bad.writing().into(guest.ram, guest.ring);
            guest.ring.kickFd().signal();
            assertThat(Poll.readable(error.fd(), FrontEnd.LIMIT))
                    .as("the error descriptor tells")
                    .isTrue();
            victim.awaitFault(FaultKind.DRIVER, "");
            assertThat(guest.frontEnd().getQueueNum())
                    .as("the connection lives")
                    .isEqualTo(EchoDevice.QUEUES);
            bystander.assertEcho();
            serveAgainAfterReset(guest);
        }
        victim.awaitDisconnected();
        assertThat(victim.faults).hasSize(1);
        assertThat(other.faults).isEmpty();
        before.assertSameNow();
    }

    private static void serveAgainAfterReset(EchoGuest guest) throws Exception {
        guest.frontEnd().resetDevice();
        try (RingDriver fresh = RingDriver.of(guest.ram, 0, 16, guest.device.features())) {
            guest.device.start(fresh, fresh.base(), false);
            fresh.transfer(guest.prepare(new byte[] {1, 2, 3}), FrontEnd.LIMIT);
            assertThat(guest.response(3)).containsExactly(1, 2, 3);
        }
    }

    static Stream<Ring> split() {
        return Stream.of(
                available(
                        "an available index that jumps", (ram, ring) -> ram.putShort(ring.driverArea() + 2, SIZE + 2)),
                available("an available index that goes back", (ram, ring) -> ram.putShort(ring.driverArea() + 2, 0)),
                available("a head outside of the table", (ram, ring) -> {
                    ram.putShort(ring.driverArea() + 4 + 2, SIZE);
                    ram.putShort(ring.driverArea() + 2, 2);
                }),
                chain("a descriptor that is its own next", (ram, ring) -> put(ram, ring, 5, DATA, 16, NEXT, 5)),
                chain("two descriptors that follow each other", (ram, ring) -> {
                    put(ram, ring, 5, DATA, 16, NEXT, 6);
                    put(ram, ring, 6, DATA, 16, NEXT, 5);
                }),
                chain("a next outside of the table", (ram, ring) -> put(ram, ring, 5, DATA, 16, NEXT, SIZE)),
                chain("a descriptor of no bytes", (ram, ring) -> put(ram, ring, 5, DATA, 0, 0, 0)),
                chain("an address outside of memory", (ram, ring) -> put(ram, ring, 5, OUTSIDE, 16, 0, 0)),
                chain("a range that leaves memory", (ram, ring) -> put(ram, ring, 5, DATA, 1L << 31, 0, 0)),
                chain("a range that wraps", (ram, ring) -> put(ram, ring, 5, -16, 64, WRITE, 0)),
                chain("readable after writable", (ram, ring) -> {
                    put(ram, ring, 5, DATA, 16, WRITE | NEXT, 6);
                    put(ram, ring, 6, DATA, 16, 0, 0);
                }),
                chain("an indirect table of no bytes", (ram, ring) -> put(ram, ring, 5, TABLE, 0, INDIRECT, 0)),
                chain("an indirect table of 17 bytes", (ram, ring) -> put(ram, ring, 5, TABLE, 17, INDIRECT, 0)),
                chain(
                        "an indirect table outside of memory",
                        (ram, ring) -> put(ram, ring, 5, OUTSIDE, 16, INDIRECT, 0)),
                chain("an indirect table of 4 GiB", (ram, ring) -> put(ram, ring, 5, TABLE, 0xffff_fff0L, INDIRECT, 0)),
                chain("an indirect descriptor with a next", (ram, ring) -> {
                    put(ram, ring, 5, TABLE, 16, INDIRECT | NEXT, 6);
                    put(ram, ring, 6, DATA, 16, 0, 0);
                }),
                chain("an indirect table in an indirect table", (ram, ring) -> {
                    put(ram, ring, 5, TABLE, 16, INDIRECT, 0);
                    entry(ram, TABLE, TABLE, 16, INDIRECT, 0);
                }),
                chain("an indirect table that loops", (ram, ring) -> {
                    put(ram, ring, 5, TABLE, 32, INDIRECT, 0);
                    entry(ram, TABLE, DATA, 16, NEXT, 0);
                }),
                chain("an indirect next outside of the table", (ram, ring) -> {
                    put(ram, ring, 5, TABLE, 32, INDIRECT, 0);
                    entry(ram, TABLE, DATA, 16, NEXT, 2);
                }),
                new Ring("an indirect table without the feature", EchoGuest.SPLIT & ~(1L << 28), (ram, ring) -> {
                    put(ram, ring, 5, TABLE, 16, INDIRECT, 0);
                    entry(ram, TABLE, DATA, 16, 0, 0);
                    publish(ram, ring);
                }));
    }

    private static Ring available(String name, Writing writing) {
        return new Ring("split: " + name, EchoGuest.SPLIT, writing);
    }

    /** A chain that begins at descriptor 5, made available as the second of the ring. */
    private static Ring chain(String name, Writing writing) {
        return new Ring("split: " + name, EchoGuest.SPLIT, (ram, ring) -> {
            writing.into(ram, ring);
            publish(ram, ring);
        });
    }

    private static void publish(GuestRam ram, RingDriver ring) {
        ram.putShort(ring.driverArea() + 4 + 2, 5);
        ram.putShort(ring.driverArea() + 2, 2);
    }

    private static void put(GuestRam ram, RingDriver ring, int at, long address, long length, int flags, int next) {
        entry(ram, ring.descriptors() + 16L * at, address, length, flags, next);
    }

    private static void entry(GuestRam ram, long at, long address, long length, int flags, int next) {
        ram.putLong(at, address);
        ram.putInt(at + 8, (int) length);
        ram.putShort(at + 12, flags);
        ram.putShort(at + 14, next);
    }

    static Stream<Ring> packed() {
        return Stream.of(
                packed("a list that never ends", (ram, ring) -> {
                    for (int i = 3; i < SIZE; i++) {
                        slot(ram, ring, i, DATA, 16, i, AVAILABLE | NEXT);
                    }
                    for (int i = 0; i < 2; i++) {
                        slot(ram, ring, i, DATA, 16, i, (1 << 15) | NEXT);
                    }
                    slot(ram, ring, 2, DATA, 16, 2, AVAILABLE | NEXT);
                }),
                packed("a list that goes on where nothing is available", (ram, ring) -> {
                    slot(ram, ring, 2, DATA, 16, 2, AVAILABLE | NEXT);
                }),
                packed("a buffer id outside of the ring", (ram, ring) -> slot(ram, ring, 2, DATA, 16, SIZE, AVAILABLE)),
                packed("a descriptor of no bytes", (ram, ring) -> slot(ram, ring, 2, DATA, 0, 2, AVAILABLE)),
                packed("an address outside of memory", (ram, ring) -> slot(ram, ring, 2, OUTSIDE, 16, 2, AVAILABLE)),
                packed("a range that wraps", (ram, ring) -> slot(ram, ring, 2, -16, 64, 2, AVAILABLE | WRITE)),
                packed("readable after writable", (ram, ring) -> {
                    slot(ram, ring, 3, DATA, 16, 2, AVAILABLE);
                    slot(ram, ring, 2, DATA, 16, 2, AVAILABLE | NEXT | WRITE);
                }),
                packed("an indirect table of 17 bytes", (ram, ring) -> {
                    slot(ram, ring, 2, TABLE, 17, 2, AVAILABLE | INDIRECT);
                }),
                packed("an indirect table of no bytes", (ram, ring) -> {
                    slot(ram, ring, 2, TABLE, 0, 2, AVAILABLE | INDIRECT);
                }),
                packed("an indirect table outside of memory", (ram, ring) -> {
                    slot(ram, ring, 2, OUTSIDE, 16, 2, AVAILABLE | INDIRECT);
                }),
                packed("an indirect descriptor in a list", (ram, ring) -> {
                    slot(ram, ring, 3, TABLE, 16, 2, AVAILABLE | INDIRECT);
                    slot(ram, ring, 2, DATA, 16, 2, AVAILABLE | NEXT);
                }),
                new Ring(
                        "packed: an indirect table without the feature",
                        EchoGuest.PACKED & ~(1L << 28),
                        (ram, ring) -> {
                            slot(ram, ring, 2, TABLE, 16, 2, AVAILABLE | INDIRECT);
                        }));
    }

    /** The first echo took two slots, so that the next one is slot 2, in the first round. */
    private static Ring packed(String name, Writing writing) {
        return new Ring("packed: " + name, EchoGuest.PACKED, writing);
    }

    private static void slot(GuestRam ram, RingDriver ring, int at, long address, long length, int id, int flags) {
        entry(ram, ring.descriptors() + 16L * at, address, length, id, flags);
    }

    @ParameterizedTest(name = "features {0}")
    @MethodSource("layouts")
    void aChainThatIsUnusualAndRightIsServed(long features) throws Exception {
        try (EchoGuest guest = EchoGuest.start(victim.connect(), features, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
            guest.ram.fill(DATA, 8, (byte) 7);
            guest.ring.transfer(
                    List.of(
                            Buffer.readable(DATA, 1),
                            Buffer.readable(DATA + 1, 6),
                            Buffer.readable(DATA + 7, 1),
                            Buffer.writable(DATA + 100, 3),
                            Buffer.writable(DATA + 200, 5)),
                    FrontEnd.LIMIT);
            assertThat(guest.ram.getByte(DATA + 102)).isEqualTo((byte) 7);
            assertThat(guest.ram.getByte(DATA + 204)).isEqualTo((byte) 7);
        }
        victim.awaitDisconnected();
    }

    static Stream<Long> layouts() {
        return Stream.of(EchoGuest.SPLIT, EchoGuest.PACKED);
    }
}
