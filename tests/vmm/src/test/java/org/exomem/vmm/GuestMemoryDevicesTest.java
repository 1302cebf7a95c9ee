package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Memory devices of a real guest with a balloon, on nodes, over resets, and with a guest that uses unplugged memory.
 */
@RealGuest
final class GuestMemoryDevicesTest {

    private static final long MIB = 1L << 20;
    private static final long BOOT = 512 * MIB;
    private static final long REGION = 1024 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void balloonAndMemoryDeviceWorkAtOnceUnderLoad(GuestImage.Linux linux) throws IOException {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        try (BackEnd backEnd = BackEnd.start(List.of("a"), List.of("a/m0,addr=4G,size=1G,block=4M,requested=1G"));
                Qemu qemu = Qemu.start(guest(linux)
                        .driver("virtio_balloon")
                        .driver("virtio_mem")
                        .vhostUserBalloon(backEnd.socket("a"))
                        .vhostUserMemory(backEnd.socket("a/m0"), REGION))) {
            MemoryControl memory = backEnd.memory("a", "m0");
            BalloonControl balloon = backEnd.balloon("a");
            awaitPlugged(backEnd, "m0", REGION);
            long total = qemu.guest().memory().total();
            qemu.guest().run("memeat fill kept 256 7");

            for (int i = 1; i <= 3; i++) {
                int round = i;
                // The balloon and the unplugged blocks leave the memory that the program and the kernel need.
                long unplugged = 4 * MIB * random.nextInt(112);
                long ballooned = 4 * MIB * random.nextInt(80);
                // The balloon keeps its size while the rest grows or shrinks.
                balloon.resize(BOOT + memory.plugged() - ballooned);
                memory.resize(REGION - unplugged);
                qemu.guest().run("memeat fill more 192 " + round);
                assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
                assertThat(qemu.guest().run("memeat verify more")).startsWith("ok ");
                qemu.guest().run("memeat free more");

                awaitPlugged(backEnd, "m0", REGION - unplugged);
                await().atMost(LIMIT)
                        .untilAsserted(() -> assertThat(balloon.ballooned())
                                .as("round %s, seed %s%s", round, seed, backEnd.output())
                                .isEqualTo(ballooned));
                assertThat(balloon.actual()).isEqualTo(BOOT + REGION - unplugged - ballooned);
                assertThat(qemu.ram().allocated()).isLessThanOrEqualTo(BOOT + REGION - unplugged - ballooned);
                assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            }

            memory.resize(REGION);
            balloon.resize(BOOT + REGION);
            awaitPlugged(backEnd, "m0", REGION);
            await().atMost(LIMIT).until(() -> balloon.ballooned() == 0);
            await().atMost(LIMIT)
                    .untilAsserted(
                            () -> assertThat(qemu.guest().memory().total()).isEqualTo(total));
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            assertThat(backEnd.control().pollEvent("DEVICE_ERROR"))
                    .as(backEnd.output())
                    .isNull();
        }
    }

    /** Free pages of preallocated blocks are reported, too. Their memory was promised, so it stays. */
    @Test
    @Tag("BAL-REP-4")
    void preallocatedMemoryStaysAllocatedWhileABalloonReportsFreePages() throws IOException {
        long plugged = 512 * MIB;
        try (BackEnd backEnd = BackEnd.start(
                        List.of("a"), List.of("a/m0,addr=4G,size=1G,block=4M,node=0,requested=512M,prealloc=on"));
                Qemu qemu = Qemu.start(guest(GuestImage.Linux.BOOKWORM)
                        .driver("virtio_balloon")
                        .driver("virtio_mem")
                        .vhostUserBalloon(backEnd.socket("a"))
                        .vhostUserMemory(backEnd.socket("a/m0"), REGION)
                        .nodes())) {
            awaitPlugged(backEnd, "m0", plugged);
            assertThat(qemu.ram(1).allocated()).isEqualTo(plugged);
            // More than the blocks can hold, so that free pages of boot memory are reported, too.
            qemu.guest().run("memeat fill gone 704 1");
            long filled = qemu.ram(0).allocated();
            long reported = reported(backEnd);
            qemu.guest().run("memeat free gone");
            await().atMost(LIMIT).untilAsserted(() -> {
                assertThat(reported(backEnd) - reported).as(backEnd.output()).isGreaterThan(600 * MIB);
                assertThat(qemu.ram(0).allocated())
                        .as("boot memory is given back")
                        .isLessThan(filled - 64 * MIB);
            });
            assertThat(qemu.ram(1).allocated()).isEqualTo(plugged);
        }
    }

    private static long reported(BackEnd backEnd) throws IOException {
        return backEnd.balloon("a").freePages().path("reported").asLong();
    }

    /** The VMM shares only shared memory with a back-end. The guest's balloon takes pages from all memory. */
    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    @Tag("BAL-INF-4")
    void balloonThatTakesPagesOfAHotPluggedDimmWithoutSharingGoesOnWorking(GuestImage.Linux linux) throws IOException {
        long dimm = 512 * MIB;
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = Qemu.start(guest(linux)
                        .driver("virtio_balloon")
                        .vhostUserBalloon(backEnd.socket("a"))
                        .arguments("-m", "size=512M,slots=1,maxmem=2G"))) {
            qemu.qmp()
                    .execute(
                            "object-add",
                            Map.of("qom-type", "memory-backend-ram", "id", "dimm", "size", dimm, "share", false));
            qemu.qmp().execute("device_add", Map.of("driver", "pc-dimm", "id", "dimm0", "memdev", "dimm"));
            await().atMost(LIMIT).until(() -> qemu.guest().memory().total() > dimm + BOOT / 2);
            qemu.guest().run("memeat fill kept 64 3");
            long free = qemu.guest().memory().free();

            // With a target above boot memory, the balloon takes pages of the DIMM, which exomem does not see.
            BalloonControl balloon = backEnd.balloon("a");
            balloon.resize(BOOT - 480 * MIB);
            await().atMost(LIMIT)
                    .untilAsserted(() ->
                            assertThat(balloon.actual()).as(backEnd.output()).isEqualTo(BOOT - 480 * MIB));
            assertThat(qemu.guest().memory().free()).isLessThan(free - 400 * MIB);
            balloon.resize(BOOT);
            await().atMost(LIMIT)
                    .untilAsserted(() ->
                            assertThat(balloon.actual()).as(backEnd.output()).isEqualTo(BOOT));
            await().atMost(LIMIT).until(() -> qemu.guest().memory().free() > free - 32 * MIB);
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            assertThat(balloon.ballooned()).isZero();
        }
    }

    /** The nodes are exchanged: the device's node counts, not the one that the firmware names for that memory. */
    @Test
    void twoMemoryDevicesAreOnTheNodesThatTheyAreConfiguredFor() throws IOException {
        try (BackEnd backEnd = BackEnd.start(
                        List.of(),
                        List.of("a/m0,addr=4G,size=1G,block=4M,node=2", "a/m1,addr=5G,size=1G,block=8M,node=1"));
                Qemu qemu = Qemu.start(guest(GuestImage.Linux.FORKY)
                        .driver("virtio_mem")
                        .vhostUserMemory(backEnd.socket("a/m0"), REGION)
                        .vhostUserMemory(backEnd.socket("a/m1"), REGION)
                        .nodes())) {
            long before = onNode(qemu, 0);
            resizeBoth(backEnd, qemu, 1024, 384);
            resizeBoth(backEnd, qemu, 256, 1024);
            resizeBoth(backEnd, qemu, 0, 512);
            assertThat(onNode(qemu, 0)).isEqualTo(before);
        }
    }

    private static void resizeBoth(BackEnd backEnd, Qemu qemu, long first, long second) throws IOException {
        backEnd.memory("a", "m0").resize(first * MIB);
        backEnd.memory("a", "m1").resize(second * MIB);
        awaitPlugged(backEnd, "m0", first * MIB);
        awaitPlugged(backEnd, "m1", second * MIB);
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(List.of(onNode(qemu, 2), onNode(qemu, 1)))
                        .containsExactly(first * MIB, second * MIB));
        assertThat(backEnd.command("vms", "--memory")).contains("m0", "m1", size(first), size(second));
    }

    private static String size(long mib) {
        return mib == 0 ? "0 B" : mib % 1024 == 0 ? mib / 1024 + " GiB" : mib + " MiB";
    }

    /** Returns the guest's memory on a node; 0 if the guest does not have the node. */
    private static long onNode(Qemu qemu, int node) throws IOException {
        String kib = qemu.guest()
                .run("sed -n 's/^Node . MemTotal: *\\([0-9]*\\) kB$/\\1/p' /sys/devices/system/node/node" + node
                        + "/meminfo 2> /dev/null || true")
                .strip();
        return kib.isEmpty() ? 0 : Long.parseLong(kib) << 10;
    }

    @Test
    void aResetGuestComesBackWithWhatWasAskedFor() throws IOException {
        try (BackEnd backEnd = BackEnd.start(List.of(), List.of("a/m0,addr=4G,size=1G,block=4M,node=1,prealloc=on"));
                Qemu qemu = Qemu.start(guest(GuestImage.Linux.BOOKWORM)
                        .driver("virtio_mem")
                        .vhostUserMemory(backEnd.socket("a/m0"), REGION)
                        .nodes()
                        .rebootable())) {
            MemoryControl memory = backEnd.memory("a", "m0");
            long before = qemu.guest().memory().total();
            memory.resize(768 * MIB);
            awaitPlugged(backEnd, "m0", 768 * MIB);

            // Linux finds blocks that were plugged before, unplugs them, and starts anew.
            qemu.qmp().execute("system_reset");
            qemu.guest().awaitBoot(LIMIT);
            awaitTotal(qemu, before + 768 * MIB);
            assertThat(memory.plugged()).isEqualTo(768 * MIB);

            // After the command nothing is plugged for the guest that boots next.
            qemu.qmp().execute("stop");
            qemu.qmp().execute("system_reset");
            backEnd.command("reset", "a");
            assertThat(memory.plugged()).isZero();
            assertThat(memory.requested()).isEqualTo(768 * MIB);
            assertThat(qemu.ram(1).allocated()).isZero();
            qemu.qmp().execute("cont");
            qemu.guest().awaitBoot(LIMIT);
            awaitTotal(qemu, before + 768 * MIB);
            assertThat(memory.plugged()).isEqualTo(768 * MIB);
            assertThat(qemu.ram(1).allocated()).isEqualTo(768 * MIB);
            assertThat(memory.jobStatus()).isEqualTo("done");
        }
    }

    /**
     * Linux protects the region of a loaded driver from {@code /dev/mem}, and undoes earlier mappings. A module with a
     * wrong address is not prevented. The address is in a Linux memory block (128 MiB) of which only the first device
     * block is plugged: no module can map anything further up.
     */
    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void aModuleThatUsesUnpluggedMemoryIsFoundAndTheGuestStoppedIfWanted(GuestImage.Linux linux, @TempDir Path folder)
            throws IOException {
        Path qmp = folder.resolve("qmp");
        try (BackEnd backEnd = BackEnd.start(
                        List.of(),
                        List.of(
                                "a/m0,addr=4G,size=1G,block=4M,prealloc=on,requested=260M,patrol=1",
                                "a/m1,addr=5G,size=1G,block=4M,requested=4M,patrol=1,violation=stop,vmm-qmp=" + qmp));
                Qemu qemu = Qemu.start(guest(linux)
                        .driver("virtio_mem")
                        .vhostUserMemory(backEnd.socket("a/m0"), REGION)
                        .vhostUserMemory(backEnd.socket("a/m1"), REGION)
                        .nodes()
                        .arguments("-qmp", "unix:" + qmp + ",server=on,wait=off"))) {
            MemoryControl memory = backEnd.memory("a", "m0");
            awaitPlugged(backEnd, "m0", 260 * MIB);
            awaitPlugged(backEnd, "m1", 4 * MIB);
            await().atMost(LIMIT).until(() -> memory.patrol().path("rounds").asInt() > 0);
            assertThat(backEnd.control().pollEvent("GUEST_VIOLATION"))
                    .as("a guest that keeps its promise")
                    .isNull();

            qemu.guest().run("load reed_solomon");
            writeToEachPageOf(qemu, "0x110800000");
            List<JsonNode> found = new ArrayList<>();
            long bytes = 0;
            // A round may happen while the guest still writes.
            while (bytes < MIB) {
                JsonNode violation =
                        backEnd.control().awaitEvent("GUEST_VIOLATION", LIMIT).data();
                found.add(violation);
                bytes += violation.path("bytes").asLong();
            }
            assertThat(bytes).isEqualTo(MIB);
            assertThat(found).allSatisfy(violation -> {
                assertThat(violation.path("vm").asText()).isEqualTo("a");
                assertThat(violation.path("id").asText()).isEqualTo("m0");
                assertThat(violation.path("action").asText()).isEqualTo("punch");
            });
            assertThat(memory.patrol().path("bytes").asLong()).isEqualTo(MIB);
            assertThat(qemu.ram(1).allocated()).as("punched").isEqualTo(260 * MIB);

            qemu.guest().run("rmmod ramoops");
            writeToEachPageOf(qemu, "0x140800000");
            assertThat(backEnd.control()
                            .awaitEvent("GUEST_VIOLATION", LIMIT)
                            .data()
                            .path("action")
                            .asText())
                    .isEqualTo("stop");
            qemu.qmp().awaitEvent("STOP", LIMIT);
            assertThat(qemu.qmp().execute("query-status").path("status").asText())
                    .isEqualTo("paused");
        }
    }

    /**
     * Makes a module use 1 MiB of physical memory that does not belong to it. The module writes a header to each of its
     * records.
     */
    private static void writeToEachPageOf(Qemu qemu, String address) throws IOException {
        qemu.guest()
                .run("load ramoops mem_address=" + address
                        + " mem_size=0x100000 record_size=4096 console_size=0 ftrace_size=0 pmsg_size=0");
    }

    private static QemuCommand guest(GuestImage.Linux linux) {
        return QemuCommand.of(GuestImage.of(linux)).ram(BOOT);
    }

    private static void awaitPlugged(BackEnd backEnd, String id, long size) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(backEnd.memory("a", id).plugged())
                        .as(backEnd.output())
                        .isEqualTo(size));
    }

    private static void awaitTotal(Qemu qemu, long bytes) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(qemu.guest().memory().total()).isEqualTo(bytes));
    }
}
