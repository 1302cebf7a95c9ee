package org.exomem.backend.metrics;

import java.util.Locale;
import java.util.Optional;
import org.exomem.backend.migrate.MigrationState;
import org.exomem.backend.migrate.Status;
import org.exomem.backend.pager.PagedState;
import org.exomem.backend.vm.ActiveState;
import org.exomem.backend.vm.MemoryState;
import org.exomem.backend.vm.VmFigures;
import org.exomem.backend.vm.VmState;
import org.exomem.balloon.BitmapState;
import org.exomem.mem.ResizeJob;
import org.exomem.migration.Fate;
import org.exomem.migration.precopy.Progress;
import org.exomem.migration.precopy.Report;
import org.exomem.migration.stream.destination.ReceivedMigration;

/** The values of a VM: its counters in the units of the metrics. */
final class VmSamples {
    private static final double NANOS = 1e9;
    private static final double TWO_TO_64 = 0x1p64;

    private final Samples samples;

    VmSamples(Samples samples) {
        this.samples = samples;
    }

    void add(VmFigures figures) {
        VmState state = figures.state();
        String vm = state.name();
        samples.add(Metric.VM_CONNECTED, state.connected(), vm);
        figures.state().host().ifPresent(bytes -> samples.add(Metric.VM_HOST_RESIDENT, bytes, vm));
        state.active().ifPresent(active -> {
            if (active instanceof ActiveState.Known known) {
                samples.add(Metric.VM_ACTIVE, known.estimate(), vm);
            }
        });
        state.balloon().ifPresent(balloon -> add(vm, balloon));
        figures.balloon().ifPresent(counted -> add(vm, counted));
        figures.brokenQueues().forEach((device, count) -> samples.add(Metric.DEVICE_BROKEN_QUEUES, count, vm, device));
        state.memory().forEach(this::add);
    }

    private void add(String vm, VmState.Balloon balloon) {
        samples.add(Metric.BALLOON_CONNECTED, balloon.connected(), vm);
        samples.add(Metric.BALLOON_MEMORY, balloon.memory(), vm);
        balloon.target().ifPresent(target -> samples.add(Metric.BALLOON_TARGET, target, vm));
        if (balloon.memory() > 0) {
            samples.add(Metric.BALLOON_ACTUAL, balloon.actual(), vm);
        }
        samples.add(Metric.BALLOON_INFLATED, balloon.ballooned(), vm);
        samples.add(Metric.GUEST_STATISTICS_INTERVAL, balloon.statisticsInterval(), vm);
    }

    private void add(String vm, VmFigures.OfBalloon counted) {
        samples.add(Metric.BALLOON_HINTED, counted.freePages().hintedBytes(), vm);
        samples.add(Metric.BALLOON_REPORTED, counted.freePages().reportedBytes(), vm);
        samples.add(Metric.BALLOON_REPORTS, counted.freePages().reports(), vm);
        samples.add(Metric.BALLOON_DISCARDED, counted.freePages().discardedBytes(), vm);
        samples.add(Metric.BALLOON_IGNORED, counted.freePages().ignoredPages(), vm);
        if (counted.bitmap().state() != BitmapState.IDLE) {
            samples.add(Metric.BALLOON_BITMAP_FREE, counted.bitmap().bytes(), vm);
        }
        samples.add(Metric.BALLOON_BITMAP_IGNORED, counted.bitmap().ignoredChunks(), vm);
        if (counted.statistics().lastUpdateSeconds() != 0) {
            samples.add(Metric.GUEST_STATISTICS_TIMESTAMP, counted.statistics().lastUpdateSeconds(), vm);
            counted.statistics().values().forEach((tag, value) -> samples.add(Metric.of(tag), unsigned(value), vm));
        }
    }

    /** A guest's numbers are unsigned. */
    private static double unsigned(long value) {
        return value < 0 ? value + TWO_TO_64 : value;
    }

    private void add(MemoryState device) {
        String vm = device.vm();
        String id = device.id();
        samples.add(Metric.MEMORY_CONNECTED, device.connected(), vm, id);
        samples.add(Metric.MEMORY_REGION, device.plan().size(), vm, id);
        samples.add(Metric.MEMORY_REQUESTED, device.requested(), vm, id);
        samples.add(Metric.MEMORY_PLUGGED, device.plugged(), vm, id);
        samples.add(Metric.MEMORY_USABLE, device.usable(), vm, id);
        samples.add(
                Metric.MEMORY_RESIZE_STALLED,
                device.job()
                        .filter(job -> job.status() == ResizeJob.Status.STALLED)
                        .isPresent(),
                vm,
                id);
        samples.add(Metric.MEMORY_VIOLATION_BYTES, device.patrol().bytes(), vm, id);
        samples.add(Metric.MEMORY_VIOLATION_BLOCKS, device.patrol().blocks(), vm, id);
        samples.add(Metric.MEMORY_PATROL_ROUNDS, device.patrol().rounds(), vm, id);
        device.guard().ifPresent(guard -> {
            samples.add(Metric.MEMORY_GUARDED, guard.on(), vm, id);
            samples.add(Metric.MEMORY_GUARD_TOUCHES, guard.reads(), vm, id, "read");
            samples.add(Metric.MEMORY_GUARD_TOUCHES, guard.writes(), vm, id, "write");
        });
    }

    void add(PagedState paged) {
        for (PagedState.Status status : PagedState.Status.values()) {
            samples.add(Metric.PAGER_STATE, paged.status() == status, paged.vm(), status.word());
        }
        samples.add(Metric.PAGER_OWED, paged.owed(), paged.vm());
        samples.add(Metric.PAGER_ARRIVED, paged.arrived(), paged.vm());
        samples.add(Metric.PAGER_PREFETCHED, paged.prefetched(), paged.vm());
        samples.add(Metric.PAGER_FAULTS, paged.faults() - paged.zeroFaults(), paged.vm(), "content");
        samples.add(Metric.PAGER_FAULTS, paged.zeroFaults(), paged.vm(), "zeros");
    }

    void add(MigrationState migration) {
        String vm = migration.vm();
        String direction = migration.direction().toString();
        for (Status status : Status.values()) {
            samples.add(Metric.MIGRATION_STATUS, migration.status() == status, vm, direction, status.toString());
        }
        samples.add(Metric.MIGRATION_ELAPSED, migration.elapsed().toNanos() / NANOS, vm, direction);
        samples.add(Metric.MIGRATION_MEMORY, migration.memory(), vm, direction);
        samples.add(Metric.MIGRATION_SENT, migration.sent(), vm, direction);
        migration
                .downtime()
                .ifPresent(pause -> samples.add(Metric.MIGRATION_DOWNTIME, pause.toNanos() / NANOS, vm, direction));
        migration.report().ifPresent(report -> add(vm, direction, report));
        if (!migration.status().isOver()) {
            migration.progress().ifPresent(progress -> add(vm, direction, progress));
        }
        rounds(migration).ifPresent(rounds -> samples.add(Metric.MIGRATION_ROUNDS, rounds, vm, direction));
    }

    private void add(String vm, String direction, Progress progress) {
        for (Progress.Phase phase : Progress.Phase.values()) {
            samples.add(Metric.MIGRATION_PHASE, progress.phase() == phase, vm, direction, word(phase));
        }
        samples.add(Metric.MIGRATION_OWED, progress.owedBytes(), vm, direction);
        samples.add(Metric.MIGRATION_RATE, progress.bytesPerSecond(), vm, direction);
        samples.add(Metric.MIGRATION_ESTIMATED_DOWNTIME, progress.downtime().toNanos() / NANOS, vm, direction);
    }

    private void add(String vm, String direction, Report report) {
        for (Fate fate : Fate.values()) {
            samples.add(
                    Metric.MIGRATION_FATE, (double) report.pages(fate) * report.pageSize(), vm, direction, word(fate));
        }
    }

    /** The rounds in the final report, or those so far. */
    private static Optional<Long> rounds(MigrationState migration) {
        return migration
                .report()
                .map(report -> (long) report.rounds())
                .or(() -> migration.received().map(ReceivedMigration::rounds))
                .or(() -> migration.progress().map(progress -> (long) progress.round()));
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
