package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.trial.DeviceType;
import org.junit.jupiter.api.Test;

/**
 * The deliberate faults of {@code exomem conform --as-device --provoke} reveal the faults of QEMU's generic device that
 * docs/qemu.md lists. If a test fails here, QEMU is better than the documents say.
 */
@RealGuest
final class ProvokedQemuTest {
    private static final long MIB = 1L << 20;
    private static final Duration LIMIT = Duration.ofMinutes(3);

    private static StrictRun provoking(Provocation provocation) throws IOException {
        return StrictRun.of(Offer.of(DeviceType.BALLOON), provocation);
    }

    private static QemuCommand guest(StrictRun strict) {
        return QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(256 * MIB)
                .driver("virtio_balloon")
                .vhostUserBalloon(strict.socket(), StrictRun.BALLOON_QUEUES);
    }

    private static CheckResult result(StrictRun strict, String requirement) throws IOException {
        return strict.report().results().stream()
                .filter(result -> result.check().requirement().equals(requirement))
                .findFirst()
                .orElseThrow();
    }

    private static void requireCrashIsTold(StrictRun strict) throws IOException {
        CheckResult answer = result(strict, "vhost.channel.10");
        assertThat(answer.verdict()).as(strict.told()).isEqualTo(Verdict.FAIL);
        assertThat(answer.message())
                .contains("the front-end closed its connection, or crashed, instead of answering CONFIG_CHANGE")
                .contains("which came while the device was not started");
        assertThat(answer.transcript()).anyMatch(line -> line.text().contains("CONFIG_CHANGE"));
    }

    @Test
    void qemuDiesOfAConfigChangeBeforeTheDriverHasStarted() throws IOException {
        try (StrictRun strict = provoking(Provocation.CONFIG_CHANGE_BEFORE_START)) {
            assertThatThrownBy(() -> Qemu.start(guest(strict)).close()).hasMessageContaining("the guest did not start");
            requireCrashIsTold(strict);
        }
    }

    @Test
    void qemuDiesOfAConfigChangeWhileTheDeviceIsStopped() throws IOException {
        try (StrictRun strict = provoking(Provocation.CONFIG_CHANGE_WHILE_STOPPED)) {
            try (Qemu qemu = Qemu.start(guest(strict))) {
                await().atMost(LIMIT).until(strict::isScriptDone);
                qemu.qmp().execute("stop");
                assertThat(qemu.hasEnded()).as(qemu.output()).isTrue();
            }
            requireCrashIsTold(strict);
        }
    }

    @Test
    void qemuDoesNotAskForTheStatusOfADeviceThatNeedsAReset() throws IOException {
        try (StrictRun strict = provoking(Provocation.NEEDS_RESET)) {
            try (Qemu qemu = Qemu.start(guest(strict))) {
                await().atMost(LIMIT).until(strict::isScriptDone);
                assertThat(qemu.guest().run("echo lives")).contains("lives");
            }
            assertThat(strict.report().notes())
                    .anyMatch(note -> note.contains("the front-end read the status 0 times"));
        }
    }

    @Test
    void qemuGoesOnAfterAnAnswerToAnotherRequest() throws IOException {
        try (StrictRun strict = provoking(Provocation.WRONG_REPLY)) {
            try (Qemu qemu = Qemu.start(guest(strict))) {
                await().atMost(LIMIT).until(strict::isScriptDone);
                assertThat(qemu.guest().run("echo lives")).contains("lives");
            }
            CheckResult error = result(strict, "vhost.error.1");
            assertThat(error.verdict()).as(strict.told()).isEqualTo(Verdict.FAIL);
            assertThat(error.message()).contains("the front-end continued for 5 s");
        }
    }

    /** The only case that it handles well: it refuses the device, and says why. */
    @Test
    void qemuEndsTheSessionWhenARequestHasFailed() throws IOException {
        try (StrictRun strict = provoking(Provocation.FAILURE)) {
            assertThatThrownBy(() -> Qemu.start(guest(strict)).close())
                    .hasMessageContaining("vhost_set_vring_call failed");
            assertThat(strict.requirements(Verdict.PASS)).as(strict.told()).contains("vhost.reply.10");
            assertThat(strict.requirements(Verdict.FAIL)).as(strict.told()).isEmpty();
        }
    }
}
