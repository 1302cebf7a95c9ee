package org.exomem.backend.state;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.exomem.backend.Deaf;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.mem.VirtioMem;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.EventLoop;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A short run of the fuzzer over files as a killed process leaves them; {@code ./exomem test --long} makes a long one.
 */
class FuzzStateFilesTest {
    private static final int FILES = Integer.getInteger("exomem.fuzz", 3_000);

    @TempDir
    Path folder;

    private final long seed = Long.getLong("exomem.seed", System.nanoTime());
    private StateDirectory state;

    @BeforeEach
    void leaveFiles() throws IOException {
        state = new StateDirectory(folder.resolve("state"));
        Random random = new Random(seed);
        try (GuestRam ram = GuestRam.ofLayout(0, 16 << 20, DevicesProcess.PLAN.address(), DevicesProcess.PLAN.size());
                DevicesProcess process = new DevicesProcess(state.path(), folder, 1);
                GuestBlocks blocks = new GuestBlocks(ram, folder, 0, 0, true, random);
                GuestBalloon balloon = new GuestBalloon(ram, folder, 0, 0, true, 2048, random)) {
            for (GuestDevice device : List.of(blocks, balloon)) {
                device.connect();
                device.check(process);
                for (int step = 0; step < 50; step++) {
                    device.step();
                }
            }
        }
    }

    @Test
    void noMemoryDevicesFileIsTakenForSomethingElseThanItIs() throws Exception {
        fuzz("vm0.dimm.mem.state", reader -> {
            try (MemoryStateFile file = state.memory("vm0", "dimm", DevicesProcess.PLAN)) {
                reader.read(new VirtioMem(file.kept(), false, 0, new Deaf()).state());
            }
        });
    }

    @Test
    void noBalloonsFileIsTakenForSomethingElseThanItIs() throws Exception {
        try (EventLoop loop = new EventLoop("balloon")) {
            fuzz("vm0.balloon.state", reader -> {
                try (BalloonStateFile file = state.balloon("vm0", what -> {})) {
                    VirtioBalloon balloon =
                            new VirtioBalloon(BalloonOptions.defaults(), file.kept(), new Deaf(), new PageFeed(), loop);
                    reader.read(balloon.state());
                }
            });
        }
    }

    private void fuzz(String name, FuzzStateFiles.Opening opening) {
        try {
            FuzzStateFiles fuzz = new FuzzStateFiles(state.path().resolve(name), opening, seed);
            for (int number = 0; number < FILES; number++) {
                fuzz.open(number);
            }
            assertThat(fuzz.accepted())
                    .as("some changes do not matter")
                    .isPositive()
                    .isLessThan(FILES);
            System.out.println("FuzzStateFilesTest: seed " + seed + ", " + FILES + " files " + name + ", "
                    + fuzz.accepted() + " accepted");
        } catch (IOException | RuntimeException | AssertionError e) {
            throw new AssertionError("-Dexomem.seed=" + seed + ": " + e.getMessage(), e);
        }
    }
}
