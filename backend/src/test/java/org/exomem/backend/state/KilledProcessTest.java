package org.exomem.backend.state;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.GuestRam;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A process with many VMs is killed at random instants, under load, repeatedly. The next process takes over from the
 * state files. The answers that a guest has got must stay true: every answer is the one of a device that never died,
 * and after each death every block and every page is checked.
 *
 * <p>One process serves all VMs, so one kill ends a balloon and a memory device of each.
 */
class KilledProcessTest {
    private static final int VMS = 10;
    private static final int KILLS = Integer.getInteger("exomem.kills", 52);
    private static final long MIB = DevicesProcess.MIB;
    private static final long RAM = 16 * MIB;

    @TempDir
    Path folder;

    private final long seed = Long.getLong("exomem.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final List<GuestDevice> devices = new ArrayList<>();
    private final List<GuestBlocks> memories = new ArrayList<>();
    private final List<GuestBalloon> balloons = new ArrayList<>();
    private final List<GuestRam> rams = new ArrayList<>();
    private int deaths;

    @BeforeEach
    void makeGuests() throws IOException {
        System.out.println("KilledProcessTest: seed " + seed + " (-Dexomem.seed=" + seed + ")");
        for (int vm = 0; vm < VMS; vm++) {
            GuestRam ram = GuestRam.ofLayout(0, RAM, DevicesProcess.PLAN.address(), DevicesProcess.PLAN.size());
            rams.add(ram);
            // All kinds of rings, and front-ends with and without in-flight memory. A packed balloon whose front-end
            // has none is left out: it becomes empty when it is found at its initial position (BalloonedPages).
            boolean tracked = vm % 2 == 0;
            long event = vm % 3 == 0 ? Features.EVENT_IDX : 0;
            long packed = vm % 4 >= 2 ? Features.RING_PACKED : 0;
            memories.add(new GuestBlocks(ram, folder, vm, event | packed, tracked, random));
            balloons.add(new GuestBalloon(ram, folder, vm, event | (tracked ? packed : 0), tracked, 2048, random));
        }
        devices.addAll(memories);
        devices.addAll(balloons);
    }

    @AfterEach
    void letGo() {
        devices.forEach(GuestDevice::close);
        rams.forEach(GuestRam::close);
        System.out.println("KilledProcessTest: seed " + seed + ", " + deaths + " deaths of a process with " + VMS
                + " VMs, "
                + memories.stream().mapToLong(memory -> memory.answers).sum() + " answers about blocks, "
                + balloons.stream().mapToLong(balloon -> balloon.answers).sum() + " about pages");
    }

    @Test
    @Tag("STA-FILE-5")
    @Tag("STA-FILE-6")
    @Tag("STA-BAL-1")
    @Tag("STA-BAL-3")
    void whatTheGuestWasToldOutlivesEveryDeathOfTheProcess() throws IOException {
        for (int kill = 0; kill < KILLS; kill++) {
            try (DevicesProcess process = new DevicesProcess(folder.resolve("state"), folder, VMS)) {
                // Some processes die while they take over.
                int served = random.nextInt(6) == 0 ? random.nextInt(devices.size()) : devices.size();
                for (GuestDevice device : devices.subList(0, served)) {
                    device.connect();
                }
                if (served == devices.size()) {
                    for (GuestDevice device : devices) {
                        device.check(process);
                    }
                    load(random.nextInt(200));
                }
            } catch (AssertionError | IOException | RuntimeException e) {
                throw new AssertionError("seed " + seed + ", after " + kill + " deaths: " + e.getMessage(), e);
            }
            deaths++;
            for (GuestDevice device : devices) {
                device.disconnect();
            }
        }
        try (DevicesProcess process = new DevicesProcess(folder.resolve("state"), folder, VMS)) {
            for (GuestDevice device : devices) {
                device.connect();
                device.check(process);
            }
            for (GuestBalloon balloon : balloons) {
                balloon.empty(process);
            }
        }
    }

    private void load(int steps) throws IOException {
        for (int step = 0; step <= steps; step++) {
            for (GuestDevice device : devices) {
                device.step();
            }
        }
        // The process is at some point of the work of the last step.
        long instant = System.nanoTime() + random.nextInt(400_000);
        while (System.nanoTime() < instant) {
            Thread.onSpinWait();
        }
    }
}
