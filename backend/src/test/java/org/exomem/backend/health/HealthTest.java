package org.exomem.backend.health;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.HeldUpVm;
import org.exomem.backend.control.ControlServer;
import org.exomem.backend.control.ProcessControl;
import org.exomem.backend.health.Problem.Severity;
import org.exomem.backend.migrate.Direction;
import org.exomem.backend.migrate.MigrationState;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.migrate.Status;
import org.exomem.backend.pager.PagedState;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.vm.VmEvent;
import org.exomem.backend.vm.VmTable;
import org.exomem.migration.precopy.Progress;
import org.exomem.vhostuser.backend.FaultKind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which states count as faults, and which do not. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class HealthTest {
    @TempDir
    Path folder;

    private static Health health(Optional<Path> state, PagedState... paged) {
        VmTable table = VmTable.of();
        return new Health(table, new Migrations(table, of -> {}), () -> List.of(paged), state);
    }

    private static List<String> texts(Health health) {
        return health.look().join().stream().map(Problem::text).toList();
    }

    @Test
    void nothingIsWrongWhereNothingIs() {
        assertThat(texts(health(Optional.of(folder)))).isEmpty();
    }

    @Test
    @Tag("CTL-40")
    void vmThatHangsIsToldOnTheControlSocketInTime() throws Exception {
        try (HeldUpVm held = HeldUpVm.start("held", folder)) {
            VmTable table = VmTable.of(held.vm());
            try (Migrations migrations = new Migrations(table, of -> {})) {
                Health health = new Health(table, migrations, List::of, Optional.empty());
                Path socket = folder.resolve("control");
                ProcessControl process = new ProcessControl() {
                    @Override
                    public void quit() {}

                    @Override
                    public java.util.concurrent.CompletableFuture<List<Problem>> problems() {
                        return health.look();
                    }
                };
                try (ControlServer server = ControlServer.listen(socket, table, migrations, process);
                        QmpClient client = QmpClient.connect(socket)) {
                    var report = client.execute("query-health", Json.object(), Duration.ofSeconds(30));
                    assertThat(report.path("status").asText()).isEqualTo("critical");
                    assertThat(report.path("problems").path(0).path("vm").asText())
                            .isEqualTo("held");
                    assertThat(report.path("problems").path(0).path("problem").asText())
                            .startsWith("its event loop does not respond");
                    held.release();
                    await().until(() -> client.execute("query-health", Json.object())
                            .path("status")
                            .asText()
                            .equals("ok"));
                    assertThat(server).isNotNull();
                }
            }
        }
    }

    @Test
    void folderForStateThatHasGoneIsCritical() throws IOException {
        Path state = Files.createDirectory(folder.resolve("state"));
        Health health = health(Optional.of(state));
        assertThat(texts(health)).isEmpty();
        Files.delete(state);
        assertThat(texts(health)).containsExactly("critical: the state directory " + state + " no longer exists");
    }

    @Test
    void pagerWithoutItsImageIsCriticalAndOneThatServesIsNot() {
        Health health = health(
                Optional.empty(),
                paged("a", PagedState.Status.STALLED),
                paged("b", PagedState.Status.SERVING),
                paged("c", PagedState.Status.COMPLETED));
        assertThat(texts(health)).containsExactly("critical: a: its memory on demand can't be read: no such file");
    }

    private static PagedState paged(String vm, PagedState.Status status) {
        return new PagedState(
                vm, Path.of("/image"), 1, status, Instant.EPOCH, 0, 0, 0, 0, 0, 0, Optional.of("no such file"));
    }

    @Test
    void whatHappenedLatelyIsToldTheWorstFirst() {
        Health health = health(Optional.empty(), paged("z", PagedState.Status.STALLED));
        health.happened(new VmEvent.Fault("a", "balloon", FaultKind.HOST, "no space left"));
        health.happened(new VmEvent.Fault("a", "balloon", FaultKind.DRIVER, "a bad chain"));
        health.happened(new VmEvent.GuestViolation("b", "m0", 8192, 1, "punch", OptionalLong.empty()));
        health.happened(new VmEvent.MigrationChange("c", "failed"));
        List<Problem> problems = health.look().join();
        assertThat(problems).extracting(Problem::vm).containsExactly("z", "a", "b", "c");
        assertThat(problems)
                .extracting(Problem::severity)
                .containsExactly(Severity.CRITICAL, Severity.WARNING, Severity.WARNING, Severity.WARNING);
        assertThat(problems.get(1).what()).startsWith("the host failed: no space left (");
        assertThat(problems.get(2).what()).startsWith("the guest uses unplugged memory: 8 KiB in 1 blocks");
        assertThat(problems).allMatch(problem -> !problem.advice().isEmpty());

        // A migration that succeeds is forgotten, and so is a device that is removed.
        health.happened(new VmEvent.MigrationChange("c", "completed"));
        health.happened(new VmEvent.Removed("a", "balloon"));
        assertThat(health.look().join()).extracting(Problem::vm).containsExactly("z", "b");
    }

    @Test
    void migrationThatSendsNothingForHalfAMinuteStands() {
        MigrationProgress progress = new MigrationProgress();
        long second = TimeUnit.SECONDS.toNanos(1);
        assertThat(progress.problems(List.of(migration(Status.ACTIVE, 5)), 0)).isEmpty();
        assertThat(progress.problems(List.of(migration(Status.ACTIVE, 5)), 29 * second))
                .isEmpty();
        assertThat(progress.problems(List.of(migration(Status.ACTIVE, 5)), 31 * second))
                .extracting(Problem::text)
                .containsExactly("warning: a: its migration to there:1 has made no progress for 30 s");
        assertThat(progress.problems(List.of(migration(Status.ACTIVE, 6)), 32 * second))
                .isEmpty();
        assertThat(progress.problems(List.of(migration(Status.ACTIVE, 6)), 63 * second))
                .hasSize(1);
        assertThat(progress.problems(List.of(migration(Status.COMPLETED, 6)), 99 * second))
                .isEmpty();
        assertThat(progress.problems(List.of(), 100 * second)).isEmpty();
    }

    @Test
    void guestThatStaysPausedIsCriticalAndALostConnectionIsToldAtOnce() {
        MigrationProgress progress = new MigrationProgress();
        assertThat(progress.problems(List.of(migration(Status.DEVICE, 5)), 0)).isEmpty();
        assertThat(progress.problems(List.of(migration(Status.DEVICE, 5)), TimeUnit.SECONDS.toNanos(31)))
                .extracting(Problem::severity)
                .containsExactly(Severity.CRITICAL);
        assertThat(progress.problems(List.of(migration(Status.RECONNECTING, 5)), 0))
                .extracting(Problem::text)
                .containsExactly("warning: a: its migration lost the connection to there:1");
    }

    private static MigrationState migration(Status status, long sent) {
        return new MigrationState(
                "a",
                Direction.OUTGOING,
                status,
                "there:1",
                Duration.ZERO,
                1000,
                sent,
                Optional.empty(),
                Optional.empty(),
                Optional.of(new Progress(Progress.Phase.COPYING, 1, sent, 10, 0, Duration.ZERO, Duration.ZERO)),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }
}
