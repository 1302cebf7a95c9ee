package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One Linux guest on QEMU that grows and shrinks, with a memory device that {@code exomem serve} serves. */
@RealGuest
final class ResizedGuestTest {

    private static final long MIB = 1L << 20;
    private static final long BOOT = 512 * MIB;
    private static final long REGION = 2048 * MIB;
    private static final long BLOCK = 4 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    /** The VM as docs/qemu.md sets it up: one memory file, no nodes, nothing plugged at first. */
    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void aGuestPlugsWhatIsAskedForAndUsesIt(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start(List.of(), List.of("a/m0,addr=4G,size=2G,block=4M"));
                Qemu qemu = Qemu.start(guest(backEnd, linux).driver("virtio_mem"))) {
            MemoryControl memory = backEnd.memory("a", "m0");
            long before = qemu.guest().memory().total();
            assertThat(before).isLessThan(BOOT);

            memory.resize(1024 * MIB);
            awaitDone(backEnd, 1024 * MIB);
            awaitTotal(qemu, before + 1024 * MIB);
            qemu.guest().run("memeat fill most 1152 1");
            assertThat(qemu.guest().run("memeat verify most")).startsWith("ok ");
            assertThat(qemu.ram().allocated()).isGreaterThan(1152 * MIB);
            qemu.guest().run("memeat free most");

            memory.resize(0);
            awaitDone(backEnd, 0);
            awaitTotal(qemu, before);
            assertThat(qemu.ram().allocated()).isLessThanOrEqualTo(BOOT);
        }
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void guestHostAndBackEndAgreeAtEachSize(GuestImage.Linux linux) throws IOException {
        // The region is a file of its own: with prealloc, exactly the plugged memory is allocated in it. It is on the
        // guest's first node, so that the guest uses it first and keeps the memory free that it needs to grow.
        try (BackEnd backEnd = BackEnd.start(
                        List.of(), List.of("a/m0,addr=4G,size=2G,block=4M,requested=1G,node=0,prealloc=on"));
                Qemu qemu = Qemu.start(guest(backEnd, linux).nodes())) {
            MemoryControl memory = backEnd.memory("a", "m0");
            long before = qemu.guest().memory().total();
            assertThat(qemu.ram(1).allocated()).isZero();
            assertThat(memory.jobStatus()).isEqualTo("stalled");
            assertThat(memory.job().path("reason").asText()).isEqualTo("the guest's driver has not started");
            qemu.guest().run("load virtio_mem");

            awaitAgreement(backEnd, qemu, before, 1024 * MIB);
            for (long size : new long[] {2048 * MIB, 256 * MIB, 1536 * MIB}) {
                memory.resize(size);
                awaitAgreement(backEnd, qemu, before, size);
            }

            // Memory in use must be moved first, which takes long enough to cancel it halfway.
            qemu.guest().run("memeat fill kept 512 5");
            memory.resize(512 * MIB);
            await().atMost(LIMIT).pollInterval(Duration.ofMillis(2)).until(() -> memory.plugged() < 1536 * MIB);
            memory.cancel();
            assertThat(memory.jobStatus()).isEqualTo("cancelled");
            long kept = memory.requested();
            assertThat(kept).as("cancelled in mid-course").isBetween(512 * MIB + BLOCK, 1536 * MIB - BLOCK);
            awaitAgreement(backEnd, qemu, before, kept);
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");

            memory.resize(2048 * MIB);
            awaitAgreement(backEnd, qemu, before, 2048 * MIB);
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
        }
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void aShrinkThatTheGuestCantFinishSaysSoAndGoesOnWhenItCan(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start(List.of(), List.of("a/m0,addr=4G,size=2G,block=4M,requested=1G"));
                Qemu qemu = Qemu.start(guest(backEnd, linux).driver("virtio_mem"))) {
            MemoryControl memory = backEnd.memory("a", "m0");
            awaitDone(backEnd, 1024 * MIB);
            // Unmovable pages all over the guest: much memory is free, and little can be unplugged.
            qemu.guest().run("memeat fill all 1152 3");
            qemu.guest().run("memeat pin all");
            assertThat(qemu.guest().memory().free()).isGreaterThan(1024 * MIB);

            memory.resize(0);
            await().atMost(LIMIT).until(() -> memory.jobStatus().equals("stalled"));
            assertThat(memory.job().path("reason").asText())
                    .isEqualTo("the guest does not unplug more: the remaining memory is in use, or can't be moved");
            assertThat(memory.plugged()).isBetween(512 * MIB, 1024 * MIB);
            assertThat(backEnd.command("vms", "--memory"))
                    .contains("stalled")
                    .contains("the remaining memory is in use");

            qemu.guest().run("memeat free all");
            memory.resize(0);
            awaitDone(backEnd, 0);
        }
    }

    private static QemuCommand guest(BackEnd backEnd, GuestImage.Linux linux) {
        return QemuCommand.of(GuestImage.of(linux)).ram(BOOT).vhostUserMemory(backEnd.socket("a/m0"), REGION);
    }

    private static void awaitDone(BackEnd backEnd, long size) {
        MemoryControl memory = backEnd.memory("a", "m0");
        await().atMost(LIMIT)
                .untilAsserted(() ->
                        assertThat(memory.jobStatus()).as(backEnd.output()).isEqualTo("done"));
        await().atMost(LIMIT)
                .untilAsserted(
                        () -> assertThat(memory.plugged()).as(backEnd.output()).isEqualTo(size));
    }

    /** Linux counts exactly the plugged memory; its page descriptors occupy memory that it has. */
    private static void awaitTotal(Qemu qemu, long bytes) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(qemu.guest().memory().total()).isEqualTo(bytes));
    }

    private static void awaitAgreement(BackEnd backEnd, Qemu qemu, long before, long size) throws IOException {
        MemoryControl memory = backEnd.memory("a", "m0");
        await().atMost(LIMIT)
                .untilAsserted(
                        () -> assertThat(memory.plugged()).as(backEnd.output()).isEqualTo(size));
        awaitTotal(qemu, before + size);
        assertThat(qemu.ram(1).allocated()).isEqualTo(size);
        assertThat(memory.requested()).isEqualTo(size);
        JsonNode shown = new ObjectMapper().readTree(backEnd.command("mem", "a", "--json"));
        assertThat(shown.path(0).path("data").path("size").asLong()).isEqualTo(size);
    }
}
