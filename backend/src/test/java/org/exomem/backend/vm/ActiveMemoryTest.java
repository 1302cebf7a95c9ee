package org.exomem.backend.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.PageFaults;
import org.exomem.linux.SharedFile;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** When a VMM is watched for its guest's writes, and how the result is used. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class ActiveMemoryTest {
    private static final long MIB = 1 << 20;
    private static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    Path folder;

    private final Vmm vmm = new Vmm();
    private Path socket;

    /** Makes the writes that the test sets for each interval. */
    private static final class Vmm implements VmmProcesses {
        private final AtomicInteger attempts = new AtomicInteger();
        private final AtomicInteger watches = new AtomicInteger();
        private final AtomicInteger scans = new AtomicInteger();
        private final AtomicLong written = new AtomicLong();
        private volatile Optional<String> failure = Optional.empty();
        private volatile long guarded;

        @Override
        public Attached attach(Path qmp, List<Part> parts, OptionalLong unplugged) throws IOException {
            throw new IOException("not here");
        }

        @Override
        public List<PageFaults> left(Path qmp) {
            return List.of();
        }

        private void fail() throws IOException {
            if (failure.isPresent()) {
                throw new IOException(failure.get());
            }
        }

        @Override
        public WatchedMemory watch(Path qmp, List<Part> parts, List<Part> left) throws IOException {
            attempts.incrementAndGet();
            fail();
            watches.incrementAndGet();
            guarded = left.stream().mapToLong(Part::length).sum();
            long watched = parts.stream().mapToLong(Part::length).sum() - guarded;
            return new WatchedMemory() {
                @Override
                public long watched() {
                    return watched;
                }

                @Override
                public Duration stopped() {
                    return Duration.ofMillis(1);
                }

                @Override
                public long written() throws IOException {
                    fail();
                    scans.incrementAndGet();
                    return written.get();
                }

                @Override
                public void close() {
                    watches.decrementAndGet();
                }
            };
        }
    }

    @BeforeEach
    void nameSocket() {
        socket = folder.resolve("balloon");
    }

    private ServedVm serve(String... mems) throws IOException, ConfigException {
        VmConfig config = new VmConfig(
                "web",
                Optional.of(ServeConfig.balloon(
                        "vm=web,vmm-active=1,vmm-qmp=" + folder.resolve("qmp") + ",socket=" + socket)),
                List.of());
        for (String mem : mems) {
            config = config.with(ServeConfig.mem("vm=web,id=m0,socket=" + folder.resolve("m0") + ",vmm-qmp=/q," + mem));
        }
        return ServedVm.start(config, Optional.empty(), event -> {}, (failed, why) -> {}, vmm, Long.MAX_VALUE);
    }

    private BalloonDriver driver(GuestRam ram) throws Exception {
        return BalloonDriver.start(AttachedDevice.attach(
                FrontEnd.connect(socket),
                ram,
                BalloonFeatures.LINUX | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                Protocol.MQ | Protocol.REPLY_ACK | Protocol.BACKEND_REQ | Protocol.CONFIG));
    }

    private static ActiveState state(ServedVm vm) {
        return vm.state().join().active().orElseThrow();
    }

    private static ActiveState.Known awaitWritten(ServedVm vm, long bytes) {
        await().atMost(LIMIT).until(() -> state(vm) instanceof ActiveState.Known known && known.written() == bytes);
        return (ActiveState.Known) state(vm);
    }

    private static void awaitReason(ServedVm vm, String reason) {
        await().atMost(LIMIT).until(() -> state(vm).equals(new ActiveState.Unknown(1, reason)));
    }

    @Test
    @Tag("VMM-ACTIVE-1")
    @Tag("VMM-ACTIVE-3")
    void estimateIsTheMostOfTheLastSixIntervalsWhileAFrontEndIsThere() throws Exception {
        try (ServedVm vm = serve();
                GuestRam ram = GuestRam.ofSize(64 * MIB)) {
            awaitReason(vm, "no VMM is connected");
            try (BalloonDriver _ = driver(ram)) {
                vmm.written.set(3 * MIB);
                assertThat(awaitWritten(vm, 3 * MIB))
                        .matches(known -> known.watched() == 64 * MIB && known.estimate() == 3 * MIB);
                vmm.written.set(MIB);
                int before = vmm.scans.get();
                assertThat(awaitWritten(vm, MIB).estimate()).isEqualTo(3 * MIB);
                await().atMost(LIMIT).until(() -> ((ActiveState.Known) state(vm)).estimate() == MIB);
                assertThat(vmm.scans.get() - before).isBetween(ActiveMemory.SCANS, ActiveMemory.SCANS + 2);
                assertThat(vmm.attempts).hasValue(1);
            }
            awaitReason(vm, "no VMM is connected");
            assertThat(vmm.watches).hasValue(0);
            try (BalloonDriver _ = driver(ram)) {
                awaitWritten(vm, MIB);
            }
        }
        assertThat(vmm.watches).hasValue(0);
    }

    @Test
    @Tag("VMM-ACTIVE-4")
    void nothingIsWatchedFromWhenAMigrationIsShownTheGuestUntilItEnds() throws Exception {
        try (ServedVm vm = serve();
                GuestRam ram = GuestRam.ofSize(64 * MIB);
                BalloonDriver _ = driver(ram);
                SharedFile other = SharedFile.memfd("other", MIB)) {
            awaitWritten(vm, 0);
            assertThat(vmm.watches).hasValue(1);
            try (MemoryImage image = new MemoryImage(List.of(
                            new ImageFile("ram", new SharedFile(ram.file().fd().duplicate()))));
                    GuestView _ = vm.show(image).join()) {
                assertThat(vmm.watches).hasValue(0);
                awaitReason(vm, "the VM is migrating");
            }
            awaitWritten(vm, 0);
            try (MemoryImage wrong = new MemoryImage(
                    List.of(new ImageFile("other", new SharedFile(other.fd().duplicate()))))) {
                assertThat(vm.show(wrong)).failsWithin(LIMIT);
                awaitWritten(vm, 0);
            }
        }
    }

    @Test
    @Tag("VMM-ACTIVE-6")
    void whatFailsIsSaidAndNotTriedAgainWithEachInterval() throws Exception {
        vmm.failure = Optional.of("the VMM is traced already");
        try (ServedVm vm = serve();
                GuestRam ram = GuestRam.ofSize(64 * MIB)) {
            try (BalloonDriver _ = driver(ram)) {
                awaitReason(vm, "the VMM is traced already");
                await().during(Duration.ofSeconds(3)).atMost(LIMIT).until(() -> vmm.attempts.get() == 1);
            }
            awaitReason(vm, "no VMM is connected");
            vmm.failure = Optional.empty();
            try (BalloonDriver _ = driver(ram)) {
                awaitWritten(vm, 0);
                vmm.failure = Optional.of("the VMM has ended");
                awaitReason(vm, "the VMM has ended");
                assertThat(vmm.watches).hasValue(0);
            }
        }
    }

    @Test
    @Tag("VMM-ACTIVE-5")
    void whatADeviceMayGuardIsLeftOut() throws Exception {
        try (ServedVm vm = serve("addr=32M,size=16M,block=2M,violation=prevent");
                GuestRam ram = GuestRam.ofSize(64 * MIB);
                BalloonDriver _ = driver(ram)) {
            assertThat(awaitWritten(vm, 0).watched()).isEqualTo(48 * MIB);
            assertThat(vmm.guarded).isEqualTo(16 * MIB);
        }
    }

    @Test
    @Tag("VMM-ACTIVE-6")
    void devicesThatAnswerLateLeaveNoDescriptorsBehind() throws Exception {
        CountDownLatch answers = new CountDownLatch(1);
        CountDownLatch asked = new CountDownLatch(1);
        VmConfig config = new VmConfig(
                "late",
                Optional.of(ServeConfig.balloon("vm=late,vmm-active=60,vmm-qmp=/q,socket=" + socket)),
                List.of());
        try (EventLoop loop = new EventLoop("late");
                MemoryRegion region =
                        MemoryRegion.map(0, MIB, 1L << 45, 0, SharedFile.memfd("exomem-asked-late", MIB));
                ActiveMemory active = new ActiveMemory("late", loop, vmm, new ActiveMemory.Guest() {
                    @Override
                    public boolean isConnected() {
                        return true;
                    }

                    @Override
                    public List<MemoryRegion> sharedMemory() {
                        asked.countDown();
                        return List.of(region);
                    }

                    @Override
                    public List<MemoryConfig> devices() {
                        return List.of();
                    }
                })) {
            long before = descriptors();
            loop.execute(() -> {
                active.configure(config);
                try {
                    answers.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            await().atMost(LIMIT).until(ActiveMemoryTest::isAsking);
            await().atMost(LIMIT).until(() -> !isAsking());
            answers.countDown();
            asked.await();
            await().atMost(LIMIT).until(() -> loop.submit(() -> true).join() && descriptors() == before);
            assertThat(vmm.attempts).hasValue(0);
        }
    }

    private static boolean isAsking() {
        return Thread.getAllStackTraces().entrySet().stream()
                .filter(thread -> thread.getKey().getName().equals("active-late"))
                .flatMap(thread -> Arrays.stream(thread.getValue()))
                .anyMatch(at -> at.getMethodName().equals("onLoop"));
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.filter(ActiveMemoryTest::isAskedLate).count();
        }
    }

    private static boolean isAskedLate(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString().contains("exomem-asked-late");
        } catch (IOException e) {
            // The descriptor of the listing itself.
            return false;
        }
    }
}
