package org.exomem.backend.health;

import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.exomem.backend.migrate.MigrationState;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.pager.PagedState;
import org.exomem.backend.vm.MemoryState;
import org.exomem.backend.vm.VmEvent;
import org.exomem.backend.vm.VmFigures;
import org.exomem.backend.vm.VmState;
import org.exomem.backend.vm.VmTable;
import org.exomem.mem.ResizeJob;

/** Finds problems of the process and its VMs. Safe for use by several threads. Futures complete within two seconds. */
public final class Health {
    /** A driver answers within moments; a guest that is paused does not. */
    private static final int MISSED_STATISTICS = 5;

    private static final Duration STATISTICS_SLACK = Duration.ofSeconds(30);
    /** The time between two checks of a migration. */
    private static final Duration LOOK_AGAIN = Duration.ofSeconds(5);

    private static final Executor WORKER =
            task -> Thread.ofVirtual().name("health").start(task);

    private final VmTable vms;
    private final Migrations migrations;
    private final Supplier<List<PagedState>> paged;
    private final StateFolder state;
    private final RecentEvents recent = new RecentEvents();
    private final MigrationProgress progress = new MigrationProgress();
    private final AtomicBoolean watching = new AtomicBoolean();

    /**
     * @param paged returns the VMs whose memory comes on demand, without waiting
     * @param state the folder in which devices keep their state, if there is one
     */
    public Health(VmTable vms, Migrations migrations, Supplier<List<PagedState>> paged, Optional<Path> state) {
        this.vms = vms;
        this.migrations = migrations;
        this.paged = paged;
        this.state = new StateFolder(state);
    }

    /** Notes an event. Any thread may call this. Does not wait. */
    public void happened(VmEvent event) {
        recent.happened(event);
        if (event instanceof VmEvent.MigrationChange && watching.compareAndSet(false, true)) {
            watchLater();
        }
    }

    /** Without regular checks it would be unknown for how long a migration has made no progress. */
    private void watchLater() {
        CompletableFuture.delayedExecutor(LOOK_AGAIN.toNanos(), java.util.concurrent.TimeUnit.NANOSECONDS, WORKER)
                .execute(() -> {
                    List<MigrationState> states = migrations.states();
                    progress.problems(states, System.nanoTime());
                    if (states.stream().allMatch(of -> of.status().isOver())) {
                        watching.set(false);
                    } else {
                        watchLater();
                    }
                });
    }

    /** The present problems, the worst first. Completes on a thread that may be blocked. */
    public CompletableFuture<List<Problem>> look() {
        return vms.figures().thenComposeAsync(this::problems, WORKER).thenApplyAsync(found -> found, WORKER);
    }

    /**
     * The problems, the worst first, given the states of the VMs. Not on a VM's event loop.
     *
     * @param seen the answers of the VMs
     */
    public CompletableFuture<List<Problem>> problems(List<VmTable.Seen> seen) {
        List<Problem> problems = new ArrayList<>();
        for (VmTable.Seen of : seen) {
            of.figures()
                    .ifPresentOrElse(
                            figures -> look(figures, problems),
                            () -> problems.add(Problem.critical(
                                    of.vm().name(),
                                    "",
                                    "its event loop does not respond; its devices do not serve its guest",
                                    "check the file system of its memory, and the VMM; the log shows the"
                                            + " last actions")));
        }
        for (PagedState of : paged.get()) {
            if (of.status() == PagedState.Status.STALLED) {
                problems.add(Problem.critical(
                        of.vm(),
                        "",
                        "its memory on demand can't be read"
                                + of.reason().map(why -> ": " + why).orElse(""),
                        "restore access to " + of.image()
                                + "; exomem retries, and each access to a missing page waits until then"));
            }
        }
        problems.addAll(progress.problems(migrations.states(), System.nanoTime()));
        problems.addAll(recent.problems());
        return state.problems().thenApply(ofState -> {
            problems.addAll(ofState);
            problems.sort(Comparator.comparing(Problem::severity)
                    .thenComparing(Problem::vm)
                    .thenComparing(Problem::device)
                    .thenComparing(Problem::what));
            return List.copyOf(problems);
        });
    }

    private static void look(VmFigures figures, List<Problem> problems) {
        String vm = figures.state().name();
        figures.brokenQueues().forEach((device, count) -> {
            if (count > 0) {
                problems.add(Problem.critical(
                        vm,
                        device,
                        (count == 1 ? "one of its queues is" : count + " of its queues are")
                                + " stopped: the guest's driver broke a rule",
                        "reload the driver in the guest, or restart the guest; the log names the rule"));
            }
        });
        figures.state().balloon().ifPresent(balloon -> lookAtStatistics(figures, balloon, problems));
        figures.state().memory().forEach(device -> look(device, problems));
    }

    private static void lookAtStatistics(VmFigures figures, VmState.Balloon balloon, List<Problem> problems) {
        long last =
                figures.balloon().map(of -> of.statistics().lastUpdateSeconds()).orElse(0L);
        int interval = balloon.statisticsInterval();
        if (interval == 0 || last == 0 || !balloon.connected()) {
            return;
        }
        long age = Instant.now().getEpochSecond() - last;
        if (age > (long) MISSED_STATISTICS * interval + STATISTICS_SLACK.toSeconds()) {
            problems.add(Problem.warning(
                    figures.state().name(),
                    "balloon",
                    "the guest has sent no statistics for " + age + " s; exomem requests them every " + interval + " s",
                    "check whether the guest runs: it may be paused or hang, or its driver was unloaded"));
        }
    }

    private static void look(MemoryState device, List<Problem> problems) {
        // Only with a VMM: without one there is no guest to do the job.
        device.job()
                .filter(job -> device.connected() && job.status() == ResizeJob.Status.STALLED)
                .ifPresent(job -> {
                    String why = job.reason();
                    problems.add(Problem.warning(
                            device.vm(),
                            device.id(),
                            "its resize makes no progress" + (why == null ? "" : ": " + why),
                            "free memory in the guest, or request another size: \"exomem mem " + device.vm()
                                    + " SIZE\""));
                });
        device.guard()
                .filter(guard -> !guard.on() && device.connected())
                .ifPresent(guard -> problems.add(Problem.warning(
                        device.vm(),
                        device.id(),
                        "unplugged memory is not guarded"
                                + guard.reason().map(why -> ": " + why).orElse(""),
                        "\"exomem check\" shows what the host lacks; until then the patrol checks unplugged memory")));
    }
}
