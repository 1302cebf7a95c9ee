package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * One Linux guest on QEMU, with a balloon that {@code exomem serve} serves. {@link LinuxDriverTest} repeats the tests
 * with exomem's driver.
 */
@RealGuest
class BalloonedGuestTest {

    static final long MIB = 1L << 20;
    static final long RAM = 2048 * MIB;
    /** The variation of an idle guest's free memory. */
    static final long NOISE = 16 * MIB;

    static final Duration LIMIT = Duration.ofMinutes(2);

    /** The kernels for the tests. */
    static Stream<GuestImage.Linux> kernels() {
        return Stream.of(GuestImage.Linux.values());
    }

    /** The module that drives the balloon. */
    String driver() {
        return "virtio_balloon";
    }

    /** The features that both sides have, among those that are on by default. */
    Set<String> features() {
        return Set.of("must-tell-host", "statistics", "free-page-hint", "free-page-reporting");
    }

    @Test
    @Tag("VHU-FEAT-6")
    void guestAndBackEndAgreeOnTheFeatures() throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, GuestImage.Linux.BOOKWORM))) {
            // Linux refuses page-poison unless it poisons or clears its free pages.
            assertThat(backEnd.balloon("a").features()).isEqualTo(features());
            assertThat(acknowledged(qemu)).startsWith("110101");
            // LOG_ALL is the front-end's bit, not the driver's.
            assertThat(acknowledged(qemu).charAt(26)).isEqualTo('0');
        }
    }

    @ParameterizedTest
    @MethodSource("kernels")
    void everyFeatureOfTheDeviceCanBeAgreedOn(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a,must-tell-host=on,deflate-on-oom=on");
                Qemu qemu = start(backEnd, guest(backEnd, linux).kernelArgument("init_on_free=1"))) {
            assertThat(backEnd.balloon("a").features())
                    .containsAll(features())
                    .hasSize(features().size() + 2)
                    .contains("deflate-on-oom", "page-poison");
            assertThat(acknowledged(qemu)).startsWith("111111");

            backEnd.balloon("a").resize(RAM - 128 * MIB);
            awaitActual(backEnd, RAM - 128 * MIB);
            backEnd.balloon("a").resize(RAM);
            awaitActual(backEnd, RAM);
        }
    }

    @ParameterizedTest
    @MethodSource("kernels")
    void inflatedPagesLeaveTheGuestAndTheHostAndComeBack(GuestImage.Linux linux) throws IOException {
        long inflated = 512 * MIB;
        // Without reports, so that nothing but the balloon can return memory to the host.
        try (BackEnd backEnd = BackEnd.start("a,free-page-reporting=off");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            BalloonControl balloon = backEnd.balloon("a");
            touch(qemu, 1536);
            long freeBefore = qemu.guest().memory().free();
            long allocatedBefore = qemu.ram().allocated();
            assertThat(allocatedBefore).isGreaterThan(1536 * MIB);
            assertThat(balloon.actual()).isEqualTo(RAM);

            balloon.resize(RAM - inflated);
            awaitActual(backEnd, RAM - inflated);
            assertThat(balloon.ballooned()).isEqualTo(inflated);
            assertThat(qemu.guest().memory().free()).isCloseTo(freeBefore - inflated, within(NOISE));
            // Some of the pages had never been touched, so they had no host memory to return.
            assertThat(qemu.ram().allocated()).isLessThan(RAM - inflated + NOISE);
            long change = backEnd.control()
                    .awaitEvent("BALLOON_CHANGE", LIMIT)
                    .data()
                    .path("actual")
                    .asLong();
            assertThat(change).isBetween(RAM - inflated, RAM - 1);

            balloon.resize(RAM);
            awaitActual(backEnd, RAM);
            assertThat(balloon.ballooned()).isZero();
            awaitFree(qemu, freeBefore);
            assertThat(remember(qemu, 1024)).startsWith("ok ");
        }
    }

    @Test
    void targetMayChangeWhileTheGuestFollowsIt() throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, GuestImage.Linux.BOOKWORM))) {
            BalloonControl balloon = backEnd.balloon("a");
            long freeBefore = qemu.guest().memory().free();
            qemu.guest().run("memeat fill kept 128 99");

            balloon.resize(RAM - 1536 * MIB);
            await().atMost(LIMIT).pollInterval(Duration.ofMillis(5)).until(() -> balloon.actual() < RAM - 64 * MIB);
            assertThat(balloon.actual()).as("still inflating").isGreaterThan(RAM - 1536 * MIB);
            balloon.resize(RAM - 32 * MIB);
            awaitActual(backEnd, RAM - 32 * MIB);

            balloon.resize(RAM - 1024 * MIB);
            awaitActual(backEnd, RAM - 1024 * MIB);
            balloon.resize(RAM);
            await().atMost(LIMIT).pollInterval(Duration.ofMillis(5)).until(() -> balloon.actual() > RAM - 1024 * MIB);
            balloon.resize(RAM - 768 * MIB);
            awaitActual(backEnd, RAM - 768 * MIB);

            assertThat(balloon.ballooned()).isEqualTo(768 * MIB);
            awaitFree(qemu, freeBefore - 128 * MIB - 768 * MIB);
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
        }
    }

    @ParameterizedTest
    @MethodSource("kernels")
    void statisticsAreTheGuestsOwn(GuestImage.Linux linux) throws IOException {
        int tags = linux == GuestImage.Linux.BOOKWORM ? 10 : 16;
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            BalloonControl balloon = backEnd.balloon("a");
            qemu.guest().run("memeat fill some 256 5");
            balloon.statisticsInterval(1);

            MemInfo memory = qemu.guest().memory();
            await().atMost(LIMIT).untilAsserted(() -> {
                JsonNode stats = balloon.statistics().path("stats");
                assertThat(stats.size()).isGreaterThanOrEqualTo(tags);
                assertThat(stats.path("stat-free-memory").asLong()).isCloseTo(memory.free(), within(NOISE));
                assertThat(stats.path("stat-available-memory").asLong()).isCloseTo(memory.available(), within(NOISE));
                assertThat(stats.path("stat-total-memory").asLong()).isEqualTo(memory.total());
                assertThat(stats.path("stat-minor-faults").asLong()).isPositive();
            });
            long first = balloon.statistics().path("last-update").asLong();
            await().atMost(LIMIT)
                    .until(() -> balloon.statistics().path("last-update").asLong() > first);
        }
    }

    @ParameterizedTest
    @MethodSource("kernels")
    void whatAProgramFreedIsReportedAndReturnedToTheHost(GuestImage.Linux linux) throws IOException {
        long eaten = 1024 * MIB;
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            qemu.guest().run("memeat fill big 1024 3");
            long reportedBefore =
                    backEnd.balloon("a").freePages().path("reported").asLong();
            long allocatedBefore = qemu.ram().allocated();
            assertThat(allocatedBefore).isGreaterThan(eaten);

            qemu.guest().run("memeat free big");
            // Linux reports a sixteenth of its free lists every two seconds.
            await().atMost(LIMIT)
                    .pollInterval(Duration.ofMillis(250))
                    .untilAsserted(() -> assertThat(allocatedBefore - qemu.ram().allocated())
                            .isGreaterThanOrEqualTo(eaten * 9 / 10));
            assertThat(backEnd.balloon("a").freePages().path("reported").asLong() - reportedBefore)
                    .isGreaterThanOrEqualTo(eaten * 9 / 10);
            assertThat(remember(qemu, 1024)).startsWith("ok ");
        }
    }

    @ParameterizedTest
    @MethodSource("kernels")
    void aHintSessionCoversTheFreeMemoryAndGivesItBack(GuestImage.Linux linux) throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, guest(backEnd, linux))) {
            BalloonControl balloon = backEnd.balloon("a");
            qemu.guest().run("memeat fill kept 256 17");
            long free = qemu.guest().memory().free();

            for (int session = 1; session <= 2; session++) {
                balloon.hint("start");
                await().atMost(LIMIT)
                        .until(() -> balloon.freePages().path("state").asText().equals("stopped"));
                assertThat(balloon.freePages().path("hinted").asLong()).isBetween(free * 8 / 10, RAM);
                assertThat(qemu.guest().memory().free())
                        .as("the driver keeps what it hinted")
                        .isLessThan(free * 3 / 10);

                balloon.hint("done");
                awaitFree(qemu, free);
            }
            assertThat(balloon.freePages().path("state").asText()).isEqualTo("done");
            assertThat(remember(qemu, 1024)).startsWith("ok ");
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
        }
    }

    static Qemu start(BackEnd backEnd, QemuCommand command) throws IOException {
        try {
            return Qemu.start(command);
        } catch (IOException e) {
            throw new IOException(e.getMessage() + backEnd.output(), e);
        }
    }

    QemuCommand guest(BackEnd backEnd, GuestImage.Linux linux) {
        return QemuCommand.of(GuestImage.of(linux)).ram(RAM).driver(driver()).vhostUserBalloon(backEnd.socket("a"));
    }

    /** Returns the feature bits that the guest's driver acknowledged, bit 0 first. */
    private static String acknowledged(Qemu qemu) throws IOException {
        return qemu.guest().run("cat /sys/bus/virtio/devices/virtio0/features");
    }

    /** Makes the host allocate memory for that much of the guest's. */
    private static void touch(Qemu qemu, int mib) throws IOException {
        qemu.guest().run("memeat fill touched " + mib + " 1");
        qemu.guest().run("memeat free touched");
    }

    /** Returns whether that much memory keeps what a program writes to it. */
    static String remember(Qemu qemu, int mib) throws IOException {
        qemu.guest().run("memeat fill memory " + mib + " 2");
        String answer = qemu.guest().run("memeat verify memory");
        qemu.guest().run("memeat free memory");
        return answer;
    }

    static void awaitActual(BackEnd backEnd, long bytes) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(backEnd.balloon("a").actual())
                        .as(backEnd.output())
                        .isEqualTo(bytes));
    }

    static void awaitFree(Qemu qemu, long bytes) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(qemu.guest().memory().free()).isCloseTo(bytes, within(NOISE)));
    }
}
