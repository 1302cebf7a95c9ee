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
import org.exomem.conformance.guest.MemDriver;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A balloon and a memory device of one VM. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class PreallocatedMemoryTest {
    private static final long MIB = 1 << 20;
    private static final long REGION = 4L << 30;
    private static final long BLOCK = 2 * MIB;

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"on", "off"})
    @Tag("MEM-BLK-7")
    @Tag("BAL-REP-4")
    void whatIsPreallocatedStaysThoughTheGuestReportsItFree(String preallocates) throws Exception {
        Path balloonSocket = folder.resolve("balloon");
        Path memorySocket = folder.resolve("memory");
        VmConfig config = new VmConfig(
                "web",
                Optional.of(ServeConfig.balloon("vm=web,socket=" + balloonSocket)),
                List.of(ServeConfig.mem("vm=web,id=m0,socket=" + memorySocket
                        + ",addr=4G,size=64M,block=2M,requested=64M,prealloc=" + preallocates)));
        try (ServedVm vm = ServedVm.start(
                        config, Optional.empty(), event -> {}, (vmm, failed) -> {}, VmmProcesses.NONE, Long.MAX_VALUE);
                GuestRam ram = GuestRam.ofLayout(0, 16 * MIB, REGION, 64 * MIB);
                MemDriver memory = MemDriver.start(attach(memorySocket, ram, 0b111));
                BalloonDriver balloon =
                        BalloonDriver.start(attach(balloonSocket, ram, BalloonFeatures.PAGE_REPORTING))) {
            assertThat(memory.plug(REGION, 8)).isEqualTo(MemDriver.Answer.ACK);
            ram.fill(REGION, 8 * BLOCK, (byte) 1);
            ram.fill(8 * MIB, 4 * MIB, (byte) 1);

            balloon.report(8 * MIB, 4 * MIB, BLOCK);
            balloon.report(REGION, 8 * BLOCK, BLOCK);

            assertThat(ram.getByte(8 * MIB)).as("memory that nobody promised").isZero();
            assertThat(ram.getByte(REGION)).isEqualTo((byte) (preallocates.equals("on") ? 1 : 0));
            assertThat(vm.freePages().join().reportedBytes()).isEqualTo(20 * MIB);
        }
    }

    private static AttachedDevice attach(Path socket, GuestRam ram, long features) throws Exception {
        return AttachedDevice.attach(
                FrontEnd.connect(socket),
                ram,
                features | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Protocol.MQ | Protocol.REPLY_ACK | Protocol.BACKEND_REQ | Protocol.CONFIG);
    }
}
