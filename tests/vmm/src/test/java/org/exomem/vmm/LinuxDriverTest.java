package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Our own driver for Linux does all that Linux's does, and tells free pages as bitmaps. A warning of the kernel ends the guest and
 * so fails the test.
 */
final class LinuxDriverTest extends BalloonedGuestTest {

    /** Requests in the tests that ask again and again. */
    private static final int ROUNDS = Integer.getInteger("exomem.rounds", 100);

    private static final boolean LONG = ROUNDS > 100;

    private static final String STATISTICS = "/sys/bus/virtio/devices/virtio0/free_page_bitmap";

    /** What the other driver does too, with the older kernel; with both in a long run. */
    static Stream<GuestImage.Linux> kernels() {
        return LONG ? BalloonedGuestTest.kernels() : Stream.of(GuestImage.Linux.BOOKWORM);
    }

    /** What only this driver does, with the newer kernel; with both in a long run. */
    static Stream<GuestImage.Linux> newest() {
        return LONG ? BalloonedGuestTest.kernels() : Stream.of(GuestImage.Linux.FORKY);
    }

    @Override
    String driver() {
        return "exomem_balloon";
    }

    @Override
    Set<String> features() {
        return Set.of("must-tell-host", "statistics", "free-page-hint", "free-page-reporting", "free-page-bitmap");
    }

    @Override
    QemuCommand guest(BackEnd backEnd, GuestImage.Linux linux) {
        return checked(super.guest(backEnd, linux));
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    @Tag("FPB-ANS-1")
    @Tag("FPB-BIT-5")
    @Tag("FPB-ANS-3")
    @Tag("FPB-REQ-1")
    void freeMemoryIsToldWhateverItsSizeWithoutTakingAny(GuestImage.Linux linux) throws IOException {
        // Reports take free pages out for a moment.
        try (BackEnd backEnd = BackEnd.start("a,free-page-reporting=off");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            BalloonControl balloon = backEnd.balloon("a");
            assertToldWhatIsFree(balloon, qemu);
            qemu.guest().run("memeat fill kept 1024 3");
            assertToldWhatIsFree(balloon, qemu);
            balloon.resize(RAM - 256 * MIB);
            awaitActual(backEnd, RAM - 256 * MIB);
            assertToldWhatIsFree(balloon, qemu);
            balloon.askForFreePages(4 * MIB);
            JsonNode large = awaitAnswer(balloon).path("blocks");
            large.forEach(block -> assertThat(block.path("bytes").asLong())
                    .as("in blocks of %s bytes", block.path("size"))
                    .matches(bytes -> bytes == 0 || block.path("size").asLong() == 4 * MIB));
            assertThat(balloon.bitmap().path("bytes").asLong()).isGreaterThan(512 * MIB);

            assertThat(statistic(qemu, "answered")).isEqualTo(4);
            assertThat(statistic(qemu, "id"))
                    .isEqualTo(balloon.bitmap().path("id").asLong());
            assertThat(statistic(qemu, "pages") << 12)
                    .isEqualTo(balloon.bitmap().path("bytes").asLong());
        }
    }

    @Test
    @Tag("FPB-FEAT-2")
    void driverWorksWithoutABitmapQueue() throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(
                        backEnd,
                        checked(QemuCommand.of(GuestImage.of(GuestImage.Linux.FORKY)))
                                .ram(RAM)
                                .driver(driver())
                                .vhostUserBalloon(backEnd.socket("a"), 5))) {
            assertThat(backEnd.balloon("a").features()).isEqualTo(features());
            assertThat(qemu.guest().run("dmesg")).contains("no free page bitmaps: the device has no queue for them");
            assertThat(qemu.guest().run("test -e " + STATISTICS + "/id || echo none"))
                    .startsWith("none");
            backEnd.balloon("a").resize(RAM - 64 * MIB);
            awaitActual(backEnd, RAM - 64 * MIB);
        }
    }

    @Test
    @Tag("FPB-FEAT-3")
    void guestThatClearsPagesWhenTheyAreFreedTellsNoneToADeviceThatDoesNotKnow() throws IOException {
        try (BackEnd backEnd = BackEnd.start("a,page-poison=off");
                Qemu qemu =
                        start(backEnd, guest(backEnd, GuestImage.Linux.FORKY).kernelArgument("init_on_free=1"))) {
            assertThat(backEnd.balloon("a").features())
                    .containsExactlyInAnyOrder("must-tell-host", "statistics", "free-page-hint");
            assertThat(qemu.isAlive()).isTrue();
        }
    }

    @ParameterizedTest
    @MethodSource("newest")
    @Tag("BAL-FEAT-3")
    void balloonGivesWayWhenTheGuestIsOutOfMemory(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a,deflate-on-oom=on");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            BalloonControl balloon = backEnd.balloon("a");
            balloon.resize(512 * MIB);
            awaitActual(backEnd, 512 * MIB);
            qemu.guest().run("memeat fill big 1024 3", LIMIT);
            assertThat(qemu.guest().run("memeat verify big")).startsWith("ok ");
            assertThat(balloon.actual()).isGreaterThan(1024 * MIB);
            assertThat(qemu.guest().run("grep -w oom_kill /proc/vmstat")).startsWith("oom_kill 0");
        }
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    @Tag("BAL-FEAT-3")
    void guestWhoseBalloonHasNothingOrLittleLeftLivesOnWhenItIsOutOfMemory(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a,deflate-on-oom=on");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            for (long inside : new long[] {0, 100 * 4096}) {
                backEnd.balloon("a").resize(RAM - inside);
                awaitActual(backEnd, RAM - inside);
                long before = killed(qemu);
                qemu.guest().run("memeat fill victim 256 1");
                qemu.guest().run("echo f > /proc/sysrq-trigger");
                await().atMost(LIMIT).until(() -> killed(qemu) > before);
                qemu.guest().run("rm -f /run/memeat.victim");
            }
            awaitActual(backEnd, RAM);
        }
    }

    private static long killed(Qemu qemu) throws IOException {
        return Long.parseLong(
                qemu.guest().run("grep -w oom_kill /proc/vmstat").strip().split(" ")[1]);
    }

    /** Otherwise the guest would be out of memory, as hints take all that is free. */
    @ParameterizedTest
    @MethodSource("newest")
    void hintedMemoryGivesWayWhenTheGuestNeedsIt(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            BalloonControl balloon = backEnd.balloon("a");
            balloon.hint("start");
            await().atMost(LIMIT)
                    .until(() -> balloon.freePages().path("state").asText().equals("stopped"));
            assertThat(qemu.guest().memory().free()).isLessThan(512 * MIB);
            qemu.guest().run("memeat fill big 1024 3", LIMIT);
            assertThat(qemu.guest().run("memeat verify big")).startsWith("ok ");
        }
    }

    @ParameterizedTest
    @MethodSource("newest")
    void driverThatIsUnloadedInTheMiddleOfAnAnswerGivesAllMemoryBack(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            BalloonControl balloon = backEnd.balloon("a");
            qemu.guest().run("memeat fill kept 128 9");
            qemu.guest().run("rmmod exomem_balloon");
            MemInfo before = qemu.guest().memory();
            for (int i = 0; i < Math.clamp(ROUNDS / 10, 3, 50); i++) {
                qemu.guest().run("load exomem_balloon");
                await().atMost(LIMIT).until(() -> balloon.features().contains("free-page-bitmap"));
                balloon.resize(RAM - 64 * MIB);
                awaitActual(backEnd, RAM - 64 * MIB);
                balloon.hint("start");
                balloon.askForFreePages();
                qemu.guest().run("rmmod exomem_balloon", LIMIT);
                assertThat(qemu.guest().memory().total()).isEqualTo(before.total());
                awaitFree(qemu, before.free());
                balloon.hint("done");
            }
            balloon.resize(RAM);
            qemu.guest().run("load virtio_balloon");
            await().atMost(LIMIT).until(() -> !balloon.features().contains("free-page-bitmap"));
            balloon.resize(RAM - 64 * MIB);
            awaitActual(backEnd, RAM - 64 * MIB);
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
        }
    }

    /** As many requests as {@code -Dexomem.rounds} says, while a program takes memory and gives it back all the time. */
    @ParameterizedTest
    @MethodSource("newest")
    @Tag("FPB-REQ-3")
    void requestsAreAnsweredUnderAllocationStress(GuestImage.Linux linux) throws IOException {
        Random random = new Random(7);
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(
                        backEnd,
                        guest(backEnd, linux).kernelArgument("slub_debug=FZP").arguments("-smp", "2"))) {
            BalloonControl balloon = backEnd.balloon("a");
            qemu.guest().run("memeat fill kept 128 9");
            qemu.guest()
                    .run("(while test ! -e /tmp/end; do memeat fill churn 512 1; memeat free churn; "
                            + "dd if=/dev/zero of=/tmp/file bs=1M count=64 2>/dev/null; rm /tmp/file; done; "
                            + "touch /tmp/ended) > /dev/null 2>&1 &");
            for (int i = 0; i < ROUNDS; i++) {
                balloon.askForFreePages();
                switch (random.nextInt(4)) {
                    case 0 -> balloon.askForFreePages();
                    case 1 -> balloon.cancelFreePages();
                    default ->
                        assertThat(awaitAnswer(balloon).path("bytes").asLong()).isBetween(256 * MIB, RAM);
                }
                balloon.resize(RAM - random.nextInt(256) * MIB);
            }
            qemu.guest().run("touch /tmp/end; while test ! -e /tmp/ended; do sleep 0.1; done", LIMIT);
            balloon.resize(RAM);
            awaitActual(backEnd, RAM);
            balloon.askForFreePages();
            awaitAnswer(balloon);
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            assertThat(balloon.bitmap().path("ignored-chunks").asLong()).isLessThan(ROUNDS * 32L);
        }
    }

    @ParameterizedTest
    @MethodSource("newest")
    void requestsAreAnsweredWhileMemoryComesAndGoes(GuestImage.Linux linux) throws IOException {
        long boot = 512 * MIB;
        long region = 1024 * MIB;
        try (BackEnd backEnd = BackEnd.start(
                        List.of("a,free-page-reporting=off"), List.of("a/m0,addr=4G,size=1G,block=4M,requested=1G"));
                Qemu qemu = start(
                        backEnd,
                        checked(QemuCommand.of(GuestImage.of(linux)))
                                .ram(boot)
                                .driver(driver())
                                .driver("virtio_mem")
                                .vhostUserBalloon(backEnd.socket("a"))
                                .vhostUserMemory(backEnd.socket("a/m0"), region))) {
            BalloonControl balloon = backEnd.balloon("a");
            MemoryControl memory = backEnd.memory("a", "m0");
            awaitPlugged(backEnd, memory, region);
            assertToldWhatIsFree(balloon, qemu);
            // Descriptors of memory that comes and goes are not told to be read at a pause.
            assertThat(statistic(qemu, "descriptors") << 12).isBetween(boot * 9 / 10, boot);
            for (int i = 0; i < Math.clamp(ROUNDS / 100, 1, 10); i++) {
                // Pages of the balloon that are in the way are moved.
                balloon.resize(boot + region - 256 * MIB);
                await().atMost(LIMIT).until(() -> balloon.ballooned() == 256 * MIB);
                for (long size : List.of(128 * MIB, region)) {
                    memory.resize(size);
                    while (memory.plugged() != size) {
                        balloon.askForFreePages();
                        awaitAnswer(balloon);
                    }
                    awaitPlugged(backEnd, memory, size);
                }
                balloon.resize(boot + region);
                await().atMost(LIMIT).until(() -> balloon.ballooned() == 0);
            }
            assertToldWhatIsFree(balloon, qemu);
            assertThat(Long.parseLong(qemu.guest()
                            .run("sed -n 's/^balloon_migrate //p' /proc/vmstat")
                            .strip()))
                    .isPositive();
        }
    }

    @ParameterizedTest
    @MethodSource("newest")
    @Tag("FPB-RST-2")
    void balloonAndRequestsWorkAfterASuspend(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a,free-page-reporting=off");
                Qemu qemu = start(backEnd, guest(backEnd, linux).suspendable())) {
            BalloonControl balloon = backEnd.balloon("a");
            balloon.resize(RAM - 256 * MIB);
            awaitActual(backEnd, RAM - 256 * MIB);
            balloon.askForFreePages();
            qemu.guest()
                    .run(
                            "echo deep > /sys/power/mem_sleep; (sleep 0.1; echo mem > /sys/power/state) > /dev/null 2>&1 &");
            qemu.qmp().awaitEvent("SUSPEND", LIMIT);
            assertThat(balloon.ballooned()).isZero();
            qemu.qmp().execute("system_wakeup");
            awaitActual(backEnd, RAM - 256 * MIB);
            assertToldWhatIsFree(balloon, qemu);
            balloon.resize(RAM);
            awaitActual(backEnd, RAM);
        }
    }

    /** The driver's own warnings count as well as the kernel's. */
    private static QemuCommand checked(QemuCommand command) {
        return command.kernelArgument("panic_on_warn=1").kernelArgument("oops=panic");
    }

    private static void assertToldWhatIsFree(BalloonControl balloon, Qemu qemu) throws IOException {
        long free = qemu.guest().memory().free();
        balloon.askForFreePages();
        assertThat(awaitAnswer(balloon).path("bytes").asLong()).isCloseTo(free, within(free / 100));
        assertThat(qemu.guest().memory().free()).isCloseTo(free, within(NOISE));
    }

    private static JsonNode awaitAnswer(BalloonControl balloon) {
        return await().atMost(LIMIT)
                .pollInterval(Duration.ofMillis(2))
                .until(balloon::bitmap, answer -> answer.path("state").asText().equals("complete"));
    }

    private static long statistic(Qemu qemu, String name) throws IOException {
        return Long.parseLong(qemu.guest().run("cat " + STATISTICS + "/" + name).strip());
    }

    private static void awaitPlugged(BackEnd backEnd, MemoryControl memory, long bytes) {
        await().atMost(LIMIT)
                .untilAsserted(
                        () -> assertThat(memory.plugged()).as(backEnd.output()).isEqualTo(bytes));
    }
}
