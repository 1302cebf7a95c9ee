package org.exomem.backend.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.exomem.backend.Deaf;
import org.exomem.balloon.BalloonOptions;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.SmallDisk;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.EventLoop;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The disk has no room for state. This is reported at once, so that no later write to a mapped file can fail. */
class FullDiskTest {
    private static final long KIB = 1 << 10;
    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private static void fill(Path disk) throws IOException {
        try (var out = Files.newOutputStream(disk.resolve("filler"), StandardOpenOption.CREATE)) {
            out.write(new byte[64 << 20]);
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("No space left");
        }
    }

    private static List<String> names(Path disk) throws IOException {
        try (Stream<Path> files = Files.list(disk)) {
            return files.map(file -> String.valueOf(file.getFileName())).toList();
        }
    }

    @Test
    @Tag("STA-FILE-1")
    void aFileThatHasNoRoomIsNotMadeAndLeavesNothingBehind() throws IOException {
        try (SmallDisk _ = SmallDisk.at(folder, 64 * KIB)) {
            StateDirectory state = new StateDirectory(folder);
            MemoryRegionPlan large = new MemoryRegionPlan(4L << 30, 4L << 40, MIB, OptionalInt.empty());
            assertThatThrownBy(() -> state.memory("vm", "m0", large))
                    .isInstanceOf(StateFileException.class)
                    .hasMessage("state file " + folder.resolve("vm.m0.mem.state")
                            + ": it can't be used: No space left on device");
            assertThat(names(folder)).isEmpty();
            fill(folder);
            assertThatThrownBy(() -> state.balloon("vm", what -> {}))
                    .isInstanceOf(StateFileException.class)
                    .hasMessageEndingWith("it can't be used: No space left on device");
            assertThat(names(folder)).containsExactly("filler");
        }
    }

    @Test
    @Tag("STA-BAL-5")
    void aBalloonGoesOnWithoutRoomForItsPagesAndTheNextProcessDoesNotTrustWhatIsThere() throws Exception {
        List<String> told = new ArrayList<>();
        try (SmallDisk _ = SmallDisk.at(folder, 512 * KIB);
                GuestRam ram = GuestRam.withPciHole(64 * MIB, 64 * MIB)) {
            StateDirectory state = new StateDirectory(folder);
            try (BalloonStateFile file = state.balloon("vm", told::add);
                    ServedBalloon balloon = new ServedBalloon(file, folder.resolve("s"), ram)) {
                balloon.driver.inflate(16 * MIB, 10 * 4096);
                assertThat(told).isEmpty();
                fill(folder);
                balloon.driver.inflate(4L << 30, 10 * 4096);
                assertThat(told)
                        .singleElement()
                        .asString()
                        .contains("from 4 GiB on can't be stored", "No space left on device", "The balloon continues");
                assertThat(balloon.pagesInBalloon()).isEqualTo(20);
            }
            Files.delete(folder.resolve("filler"));
            try (BalloonStateFile file = state.balloon("vm", told::add);
                    EventLoop loop = new EventLoop("balloon")) {
                VirtioBalloon next =
                        new VirtioBalloon(BalloonOptions.defaults(), file.kept(), new Deaf(), new PageFeed(), loop);
                assertThat(loop.submit(next::pagesInBalloon).join()).isZero();
            }
        }
    }
}
