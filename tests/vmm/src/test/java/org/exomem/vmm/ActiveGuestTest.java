package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.exomem.vmm.MigrationOutcome.awaitEnd;
import static org.exomem.vmm.MigrationOutcome.status;
import static org.exomem.vmm.MovingGuests.assertNothingLeftIn;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The memory that a real guest writes is estimated from outside of an unmodified QEMU. */
@RealGuest
final class ActiveGuestTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 512 * MIB;
    private static final long WRITTEN = 64 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @RegisterExtension
    final MovingGuests guests = new MovingGuests(RAM);

    @Test
    @Tag("CTL-35")
    @Tag("VMM-ACTIVE-1")
    @Tag("VMM-ACTIVE-2")
    @Tag("VMM-ACTIVE-3")
    @Tag("VMM-ACTIVE-4")
    void estimateRisesToWhatTheGuestWritesFallsWhenItIsIdleAndMakesWayForAMigration() throws IOException {
        try (BackEnd here = BackEnd.start("vm,vmm-active=2,vmm-qmp=" + guests.qmp("a"));
                BackEnd there = BackEnd.start("vm,vmm-active=2,vmm-qmp=" + guests.qmp("b"));
                Qemu source = Qemu.start(guests.guest("a").vhostUserBalloon(here.socket("vm")));
                Qemu destination = Qemu.start(guests.guest("b").incoming())) {
            awaitEstimate(here);
            source.guest().run("memeat fill kept 100 1");
            String checksum = source.guest().run("memeat verify kept");
            source.guest()
                    .run("(while [ ! -e /run/enough ]; do dd if=/dev/zero of=/run/written bs=1M count=" + WRITTEN / MIB
                            + " conv=notrunc; done) >/dev/null 2>&1 </dev/null &");
            await().atMost(LIMIT).untilAsserted(() -> assertThat(bytes(here)).isBetween(WRITTEN, 2 * WRITTEN));
            assertThat(estimate(here)).isGreaterThanOrEqualTo(WRITTEN);
            source.guest().run("touch /run/enough");
            await().atMost(LIMIT).untilAsserted(() -> {
                assertThat(bytes(here)).isLessThan(WRITTEN / 8);
                assertThat(estimate(here)).as("not yet forgotten").isGreaterThanOrEqualTo(WRITTEN);
            });
            await().atMost(LIMIT).untilAsserted(() -> assertThat(estimate(here)).isLessThan(WRITTEN / 4));
            assertThat(here.command("vms", "--active")).contains("EVERY", "2 s", " ms");
            JsonNode active = active(here);
            assertThat(active.path("interval").asLong()).isEqualTo(2);
            assertThat(active.path("watched").asLong()).isEqualTo(RAM);
            assertThat(active.path("last-ns").asLong()).isPositive();
            assertThat(active.path("stopped-ns").asLong()).isPositive();
            assertNothingLeftIn(source);

            guests.begin(here, there, Map.of());
            JsonNode left = awaitEnd(here);
            awaitEnd(there);
            assertThat(left.path("status").asText()).as(left + here.output()).isEqualTo("completed");
            assertThat(left.path("writes").path("way").asText())
                    .as(left.toString())
                    .isEqualTo("watch");
            assertThat(left.path("writes").has("reason")).as(left.toString()).isFalse();
            assertThat(destination.guest().run("memeat verify kept")).isEqualTo(checksum);
            awaitReason(here, "no VMM is connected");
            awaitEstimate(there);
            assertNothingLeftIn(source);
            assertNothingLeftIn(destination);
        }
    }

    @Test
    @Tag("VMM-ACTIVE-1")
    @Tag("VMM-ACTIVE-4")
    void estimateComesBackAfterAMigrationThatIsCancelledAndLeavesNothingWhenItsProcessIsKilled() throws IOException {
        try (BackEnd here = BackEnd.start("vm,vmm-active=1,vmm-qmp=" + guests.qmp("a"));
                BackEnd there = BackEnd.start("vm,vmm-qmp=" + guests.qmp("b"));
                Qemu source = Qemu.start(guests.guest("a").vhostUserBalloon(here.socket("vm")));
                Qemu _ = Qemu.start(guests.guest("b").incoming())) {
            awaitEstimate(here);
            source.guest().run("memeat fill kept 100 1");
            guests.begin(here, there, Map.of("max-bandwidth", 8 * MIB));
            await().atMost(LIMIT)
                    .until(() -> status(here).path("ram").path("transferred").asLong() > 4 * MIB);
            assertThat(status(here).path("writes").path("way").asText()).isEqualTo("watch");
            awaitReason(here, "the VM is migrating");
            here.control().execute("migrate-cancel", Map.of("vm", "vm"));
            awaitEnd(here);
            awaitEnd(there);
            awaitEstimate(here);
            here.kill();
            assertNothingLeftIn(source);
            assertThat(source.guest().run("memeat verify kept")).startsWith("ok ");
        }
    }

    @Test
    @Tag("VMM-ACTIVE-5")
    void guardOfUnpluggedMemoryAndTheEstimateDoNotGetIntoEachOthersWay() throws IOException {
        long region = 256 * MIB;
        String options = "vmm-qmp=" + guests.qmp("a");
        try (BackEnd here = BackEnd.start(
                        List.of("vm,vmm-active=1," + options),
                        List.of("vm/m0,addr=4G,size=256M,block=4M,violation=prevent," + options));
                Qemu source = Qemu.start(guests.guest("a")
                        .driver("virtio_mem")
                        .vhostUserBalloon(here.socket("vm"))
                        .vhostUserMemory(here.socket("vm/m0"), region))) {
            awaitEstimate(here);
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(
                                    here.memory("vm", "m0").guard().path("on").asBoolean())
                            .as(here.output())
                            .isTrue());
            assertThat(active(here).path("watched").asLong()).isEqualTo(RAM);
            here.memory("vm", "m0").resize(64 * MIB);
            await().atMost(LIMIT).until(() -> here.memory("vm", "m0").plugged() == 64 * MIB);
            assertThat(source.guest().run("memeat fill kept 100 1 && memeat verify kept"))
                    .contains("ok ");
            awaitEstimate(here);
        }
    }

    /** All of the device's memory is watched, plugged and unplugged, and the balloon's pages are returned meanwhile. */
    @Test
    @Tag("VMM-ACTIVE-2")
    void balloonAndMemoryDeviceChangeWhileTheVmmIsWatchedAndTheGuestKeepsItsMemory() throws IOException {
        long region = 256 * MIB;
        try (BackEnd here = BackEnd.start(
                        List.of("vm,vmm-active=1,vmm-qmp=" + guests.qmp("a")),
                        List.of("vm/m0,addr=4G,size=256M,block=4M"));
                Qemu source = Qemu.start(guests.guest("a")
                        .driver("virtio_mem")
                        .vhostUserBalloon(here.socket("vm"))
                        .vhostUserMemory(here.socket("vm/m0"), region))) {
            awaitEstimate(here);
            assertThat(active(here).path("watched").asLong()).isEqualTo(RAM + region);
            here.memory("vm", "m0").resize(region);
            await().atMost(LIMIT).until(() -> here.memory("vm", "m0").plugged() == region);
            source.guest().run("memeat fill kept 300 1");
            here.balloon("vm").resize(RAM + region - 128 * MIB);
            await().atMost(LIMIT).until(() -> here.balloon("vm").actual() == RAM + region - 128 * MIB);
            assertThat(source.guest().run("memeat verify kept")).startsWith("ok ");
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(bytes(here))
                            .as("an idle guest, whose ballooned memory counts no more")
                            .isBetween(0L, WRITTEN / 4));
            here.balloon("vm").resize(RAM + region);
            await().atMost(LIMIT).until(() -> here.balloon("vm").actual() == RAM + region);
            source.guest().run("memeat fill more 100 2");
            here.memory("vm", "m0").resize(0);
            await().atMost(LIMIT).until(() -> here.memory("vm", "m0").plugged() < region);
            assertThat(source.guest().run("memeat verify kept && memeat verify more"))
                    .startsWith("ok ");
            awaitEstimate(here);
            assertNothingLeftIn(source);
        }
    }

    private static JsonNode active(BackEnd backEnd) throws IOException {
        return backEnd.control().execute("query-vms").path(0).path("active");
    }

    private static long bytes(BackEnd backEnd) throws IOException {
        return active(backEnd).path("bytes").asLong(-1);
    }

    private static long estimate(BackEnd backEnd) throws IOException {
        return active(backEnd).path("estimate").asLong(-1);
    }

    private static void awaitEstimate(BackEnd backEnd) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(active(backEnd).has("estimate"))
                        .as(active(backEnd) + backEnd.output())
                        .isTrue());
    }

    private static void awaitReason(BackEnd backEnd, String reason) {
        await().atMost(LIMIT)
                .untilAsserted(() ->
                        assertThat(active(backEnd).path("reason").asText()).isEqualTo(reason));
    }
}
