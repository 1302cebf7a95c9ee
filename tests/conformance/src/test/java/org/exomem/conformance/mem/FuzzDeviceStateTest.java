package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.exomem.conformance.fuzz.FuzzDeviceState;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A short run of the fuzzer; its own main makes long ones. */
class FuzzDeviceStateTest {
    private static final int STATES = Integer.getInteger("exomem.fuzz", 1_500);

    @TempDir
    Path folder;

    @Test
    void noLoadedStateHarmsADeviceOrMakesItInconsistent() throws Exception {
        long seed = System.nanoTime();
        try (MemBackEnd backEnd = new MemBackEnd(folder, MemBackEnd.SIZE / 2, false)) {
            FuzzDeviceState fuzz = new FuzzDeviceState(folder.resolve("mem.sock"), seed);
            fuzz.load(0, STATES);
            assertThat(fuzz.accepted()).as("some are right enough").isPositive().isLessThan(STATES);
            assertThat(backEnd.faults).isNotEmpty().allMatch(fault -> fault.startsWith("FRONT_END"));
            try (MemDriver driver = backEnd.connect()) {
                assertThat(driver.unplugAll()).isEqualTo(Answer.ACK);
                assertThat(driver.config().pluggedSize()).isZero();
            }
        } catch (Exception | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }
}
