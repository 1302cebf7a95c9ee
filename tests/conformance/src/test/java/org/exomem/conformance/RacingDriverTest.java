package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Random;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.vhostuser.backend.FaultKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A driver that writes its rings while the device reads them. */
class RacingDriverTest {
    private static final int ROUNDS = 60;
    private static final int WRITES = 2_000;

    @TempDir
    Path folder;

    @ParameterizedTest(name = "features {0}")
    @ValueSource(longs = {EchoGuest.SPLIT, EchoGuest.PACKED})
    void harmsOnlyItself(long features) throws Exception {
        long seed = System.nanoTime();
        try (EchoBackEnd victim = new EchoBackEnd(folder.resolve("victim"));
                EchoBackEnd other = new EchoBackEnd(folder.resolve("other"));
                EchoGuest bystander = EchoGuest.start(other);
                EchoGuest guest = EchoGuest.start(victim.connect(), features, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
            Random random = new Random(seed);
            for (int round = 0; round < ROUNDS; round++) {
                scribble(guest, random);
                bystander.assertEcho();
                guest.frontEnd().resetDevice();
                guest.ram.bytes(guest.ring.deviceArea(), 4).fill((byte) 0);
                guest.device.start(guest.ring, features == EchoGuest.SPLIT ? 0 : 0x80008000, false);
            }
            guest.frontEnd().resetDevice();
            try (RingDriver fresh = RingDriver.of(guest.ram, 0, 16, features)) {
                guest.device.start(fresh, fresh.base(), false);
                fresh.transfer(guest.prepare(new byte[] {1}), FrontEnd.LIMIT);
            }
            assertThat(victim.faults).as("seed " + seed).allMatch(fault -> fault.kind() == FaultKind.DRIVER);
            assertThat(other.faults).isEmpty();
        } catch (Exception | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    /** Writes plausible and implausible values all over the ring, and kicks all the time. */
    private static void scribble(EchoGuest guest, Random random) {
        long descriptors = guest.ring.descriptors();
        long available = guest.ring.driverArea();
        int size = guest.ring.size();
        for (int i = 0; i < WRITES; i++) {
            long at = descriptors + 16L * random.nextInt(size);
            switch (random.nextInt(6)) {
                case 0 -> guest.ram.putLong(at, random.nextInt(4 << 20));
                case 1 -> guest.ram.putInt(at + 8, random.nextInt(1 << random.nextInt(1, 24)));
                case 2 -> guest.ram.putShort(at + 12, random.nextInt(8));
                case 3 -> guest.ram.putShort(at + 14, random.nextInt(1 << 16));
                case 4 -> guest.ram.putShort(available + 2, random.nextInt(size));
                default -> guest.ring.kickFd().signal();
            }
        }
    }

    @Test
    void chainsThatChangeDuringProcessingAreReadOnce() throws Exception {
        // The descriptor changes from a small to an impossible length and back while the device works. Whatever the
        // device reads, it must never read beyond memory, and the queue of the other VM must continue.
        try (EchoBackEnd victim = new EchoBackEnd(folder.resolve("victim"));
                EchoGuest guest = EchoGuest.start(victim)) {
            long length = guest.ring.descriptors() + 8;
            Thread changer = Thread.ofPlatform().start(() -> {
                while (!Thread.currentThread().isInterrupted()) {
                    guest.ram.putInt(length, -1);
                    guest.ram.putInt(length, 16);
                }
            });
            try {
                for (int i = 0; i < 2_000 && victim.faults.isEmpty(); i++) {
                    guest.ram.putShort(guest.ring.driverArea() + 4 + 2L * (i % guest.ring.size()), 0);
                    guest.ram.putShort(guest.ring.driverArea() + 2, i + 1);
                    guest.ring.kickFd().signal();
                    assertThat(guest.frontEnd().getQueueNum()).isEqualTo(EchoDevice.QUEUES);
                }
            } finally {
                changer.interrupt();
                changer.join();
            }
            assertThat(victim.faults).allMatch(fault -> fault.kind() == FaultKind.DRIVER);
        }
    }
}
