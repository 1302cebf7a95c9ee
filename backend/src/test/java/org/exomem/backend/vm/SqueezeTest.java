package org.exomem.backend.vm;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The requests to a driver while its VM's size is limited for a time. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class SqueezeTest {
    private static final long MIB = 1 << 20;
    private static final long PAGES_PER_MIB = MIB / 4096;

    @TempDir
    Path folder;

    @Test
    void theSmallerOfWishAndSqueezeCountsAndTheWishIsThereAfterwards() throws Exception {
        Path socket = folder.resolve("balloon");
        VmConfig config = new VmConfig("web", Optional.of(ServeConfig.balloon("vm=web,socket=" + socket)), List.of());
        try (ServedVm vm = ServedVm.start(
                        config, Optional.empty(), event -> {}, (vmm, failed) -> {}, VmmProcesses.NONE, Long.MAX_VALUE);
                GuestRam ram = GuestRam.ofSize(64 * MIB);
                BalloonDriver driver = driver(socket, ram)) {
            vm.squeeze(48 * MIB).join();
            assertThat(driver.numPages()).isEqualTo(16 * PAGES_PER_MIB);
            vm.endSqueeze().join();
            assertThat(driver.numPages()).as("nothing was wanted").isZero();
            vm.resize(32 * MIB).join();
            vm.squeeze(48 * MIB).join();
            assertThat(driver.numPages()).as("it is to be smaller anyway").isEqualTo(32 * PAGES_PER_MIB);
            vm.squeeze(16 * MIB).join();
            assertThat(driver.numPages()).isEqualTo(48 * PAGES_PER_MIB);
            vm.resize(40 * MIB).join();
            assertThat(driver.numPages()).as("what is wanted later waits").isEqualTo(48 * PAGES_PER_MIB);
            assertThat(vm.state().join().balloon().orElseThrow().target()).hasValue(40 * MIB);
            vm.endSqueeze().join();
            assertThat(driver.numPages()).isEqualTo(24 * PAGES_PER_MIB);
            vm.endSqueeze().join();
            assertThat(driver.numPages()).isEqualTo(24 * PAGES_PER_MIB);
        }
    }

    private static BalloonDriver driver(Path socket, GuestRam ram) throws Exception {
        return BalloonDriver.start(AttachedDevice.attach(
                FrontEnd.connect(socket),
                ram,
                BalloonFeatures.LINUX | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Protocol.MQ | Protocol.REPLY_ACK | Protocol.BACKEND_REQ | Protocol.CONFIG));
    }
}
