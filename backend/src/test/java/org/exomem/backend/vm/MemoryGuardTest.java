package org.exomem.backend.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.PageFaults;
import org.exomem.linux.SharedFile;
import org.exomem.linux.Userfaultfd;
import org.exomem.mem.BlockGuard;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** When unplugged memory is guarded. This process is also the VMM. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class MemoryGuardTest {
    private static final long MIB = 1 << 20;
    private static final long BOOT = 16 * MIB;
    private static final long REGION = 4L << 30;
    private static final long SIZE = 64 * MIB;
    private static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    Path folder;

    /** Has the device's memory mapped, which another process watches at first. */
    private static final class Vmm implements VmmProcesses, AutoCloseable {
        private final AtomicInteger attempts = new AtomicInteger();
        private final Mapping mapping;
        private final Userfaultfd other;

        Vmm(SharedFile file, long offset) throws LinuxException {
            mapping = Mapping.of(file, offset, SIZE);
            other = Userfaultfd.of(Userfaultfd.make(), EnumSet.of(Userfaultfd.Feature.WRITE_PROTECT_SHARED));
            other.register(mapping.segment().address(), SIZE, EnumSet.of(Userfaultfd.Mode.WRITE_PROTECT));
        }

        @Override
        public Attached attach(Path qmp, List<Part> parts, OptionalLong unplugged) throws IOException {
            attempts.incrementAndGet();
            return new Attached(
                    new PageFaults(Userfaultfd.of(Userfaultfd.make(), PageFaults.FEATURES)),
                    List.of(new BlockGuard.Stretch(REGION, mapping.segment().address(), SIZE)),
                    () -> {});
        }

        @Override
        public Duration untilNextTry() {
            return Duration.ofMillis(20);
        }

        @Override
        public List<PageFaults> left(Path qmp) {
            return List.of();
        }

        @Override
        public WatchedMemory watch(Path qmp, List<Part> parts, List<Part> left) throws IOException {
            throw new IOException("not here");
        }

        @Override
        public void close() {
            other.close();
            mapping.close();
        }
    }

    /** A VMM that is slow at the first attachment. */
    private static final class SlowVmm implements VmmProcesses, AutoCloseable {
        private final AtomicInteger attempts = new AtomicInteger();
        private final AtomicInteger letGo = new AtomicInteger();
        private final CountDownLatch answers = new CountDownLatch(1);
        private final boolean isGone;
        private final Mapping mapping;

        /** @param isGone whether it has ended before the first attachment is complete */
        SlowVmm(SharedFile file, long offset, boolean isGone) throws LinuxException {
            this.mapping = Mapping.of(file, offset, SIZE);
            this.isGone = isGone;
        }

        @Override
        public Attached attach(Path qmp, List<Part> parts, OptionalLong unplugged) throws IOException {
            if (attempts.incrementAndGet() == 1) {
                try {
                    answers.await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
                if (isGone) {
                    throw new IOException("no such process");
                }
            }
            return new Attached(
                    new PageFaults(Userfaultfd.of(Userfaultfd.make(), PageFaults.FEATURES)),
                    List.of(new BlockGuard.Stretch(REGION, mapping.segment().address(), SIZE)),
                    letGo::incrementAndGet);
        }

        @Override
        public List<PageFaults> left(Path qmp) {
            return List.of();
        }

        @Override
        public WatchedMemory watch(Path qmp, List<Part> parts, List<Part> left) throws IOException {
            throw new IOException("not here");
        }

        @Override
        public void close() {
            mapping.close();
        }
    }

    /** The guard is that of the present VMM, whatever happened to the one before. */
    @ParameterizedTest(name = "the first VMM has ended: {0}")
    @ValueSource(booleans = {true, false})
    @Tag("MEM-GUARD-1")
    void guardIsThatOfTheVmmThatCameWhileAnotherWasAttachedTo(boolean isGone) throws Exception {
        Path socket = folder.resolve("m0");
        try (GuestRam ram = GuestRam.ofLayout(0, BOOT, REGION, SIZE);
                SlowVmm vmm = new SlowVmm(ram.file(), BOOT, isGone);
                ServedVm vm = ServedVm.start(
                        config(socket), Optional.empty(), event -> {}, (failed, why) -> {}, vmm, Long.MAX_VALUE)) {
            MemDriver first = start(socket, ram);
            await().atMost(LIMIT).until(() -> vmm.attempts.get() == 1);
            first.close();
            await().atMost(LIMIT)
                    .until(() -> !vm.state().join().memory().getFirst().connected());
            try (MemDriver second = start(socket, ram)) {
                assertThat(second.plug(REGION, 1)).isEqualTo(MemDriver.Answer.ACK);
                assertThat(guard(vm).on()).isFalse();
                vmm.answers.countDown();
                await().atMost(LIMIT).until(() -> guard(vm).on());
                assertThat(vmm.attempts).hasValue(2);
                await().atMost(LIMIT).until(() -> vmm.letGo.get() == (isGone ? 0 : 1));
            }
        }
    }

    private static VmConfig config(Path socket) throws ConfigException {
        return new VmConfig(
                "web",
                Optional.empty(),
                List.of(ServeConfig.mem(
                        "vm=web,id=m0,addr=4G,size=64M,block=2M,requested=8M,violation=prevent,vmm-qmp=/q,socket="
                                + socket)));
    }

    private static MemDriver start(Path socket, GuestRam ram) throws IOException {
        return MemDriver.start(AttachedDevice.attach(
                FrontEnd.connect(socket),
                ram,
                0b111 | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Protocol.MQ | Protocol.REPLY_ACK | Protocol.BACKEND_REQ | Protocol.CONFIG));
    }

    private static MemoryState.Guarding guard(ServedVm vm) {
        return vm.state().join().memory().getFirst().guard().orElseThrow();
    }

    @Test
    @Tag("MEM-GUARD-1")
    void guardIsTriedAgainUntilTheMigrationThatWatchesTheMemoryIsOver() throws Exception {
        Path socket = folder.resolve("m0");
        try (GuestRam ram = GuestRam.ofLayout(0, BOOT, REGION, SIZE);
                Vmm vmm = new Vmm(ram.file(), BOOT);
                ServedVm vm = ServedVm.start(
                        config(socket), Optional.empty(), event -> {}, (failed, why) -> {}, vmm, Long.MAX_VALUE);
                MemDriver driver = start(socket, ram)) {
            await().atMost(LIMIT).until(() -> vmm.attempts.get() > 2);
            assertThat(guard(vm).on()).isFalse();
            // While it is tried again, that is the reason.
            await().atMost(LIMIT)
                    .until(() -> guard(vm)
                            .reason()
                            .filter(why -> why.contains("in use by another process"))
                            .isPresent());

            vmm.other.close();
            await().atMost(LIMIT).until(() -> guard(vm).on());
            assertThat(guard(vm).reason()).isEmpty();
            assertThat(driver.plug(REGION, 2)).isEqualTo(MemDriver.Answer.ACK);
            assertThat(guard(vm).on()).isTrue();
        }
    }
}
