package org.exomem.backend.vm;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.Violation;
import org.exomem.backend.config.VmConfig;
import org.exomem.linux.LinuxException;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Estimates how much memory a guest writes, if the operator configured that (VMM-ACTIVE): watches its VMM, and scans at each
 * interval. It is controlled on the VM's loop. It attaches and scans on a thread of its own, which starts with the first
 * task.
 *
 * <pre>
 *   OFF -- memory is shared --> WATCHING -- a scan each interval
 *    ^                            |
 *    +--- the front-end has gone, a migration begins, the memory is another, or it fails
 * </pre>
 */
final class ActiveMemory implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ActiveMemory.class);

    /** The estimate is the maximum of this many scans (VMM-ACTIVE-3). */
    static final int SCANS = 6;

    /** The shortest time between a failure and the next attempt (VMM-ACTIVE-6). */
    private static final Duration AGAIN = Duration.ofSeconds(60);

    private static final Duration SOON = Duration.ofSeconds(2);
    private static final Duration LOOP_LIMIT = Duration.ofSeconds(1);
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(2);
    private static final String MIGRATES = "the VM is migrating";
    private static final String NOBODY = "no VMM is connected";

    private final String vm;
    private final EventLoop loop;
    private final VmmProcesses vmm;
    private final Guest guest;
    private final ScheduledThreadPoolExecutor scanner;
    /** The number of migrations that watch the VMM's memory themselves. */
    private final AtomicInteger migrations = new AtomicInteger();
    /** True while a task waits for the scanner that looks because a front-end came or went. */
    private final AtomicBoolean lookWaits = new AtomicBoolean();
    /** Used on the loop only. */
    private Optional<Wish> wish = Optional.empty();
    /** The result so far; empty if no estimate is configured. */
    private volatile Optional<ActiveState> state = Optional.empty();

    // The fields from here on are used by the scanner's thread only.
    private @Nullable Watching watching;
    private Optional<Wish> wanted = Optional.empty();
    private @Nullable Future<?> scans;
    private @Nullable Future<?> soon;
    private long nextTry = System.nanoTime();

    /** What the VM's devices know of their guest. Called on the loop. */
    interface Guest {
        /** Whether a front-end is connected. */
        boolean isConnected();

        /** The memory that the front-end shares; empty while it shares none. */
        List<MemoryRegion> sharedMemory();

        /** The VM's memory devices. */
        List<MemoryConfig> devices();
    }

    private record Wish(int seconds, Path qmp) {
        static Optional<Wish> of(VmConfig config) {
            return config.vmmActive() == 0
                    ? Optional.empty()
                    : config.vmmQmp().map(qmp -> new Wish(config.vmmActive(), qmp));
        }
    }

    /** A range of the guest's memory. */
    private record Range(long address, long size, boolean guarded) {}

    /** The guest's memory. Closing this closes its parts. */
    private record Shared(List<Range> ranges, List<VmmProcesses.Part> all, List<VmmProcesses.Part> guarded)
            implements AutoCloseable {
        @Override
        public void close() {
            all.forEach(VmmProcesses.Part::close);
            guarded.forEach(VmmProcesses.Part::close);
        }
    }

    private record Watching(WatchedMemory memory, List<Range> ranges, Deque<Long> last) {}

    ActiveMemory(String vm, EventLoop loop, VmmProcesses vmm, Guest guest) {
        this.vm = vm;
        this.loop = loop;
        this.vmm = vmm;
        this.guest = guest;
        this.scanner = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().daemon().name("active-" + vm).factory());
        scanner.setRemoveOnCancelPolicy(true);
    }

    /** Safe for use by any thread. */
    Optional<ActiveState> state() {
        return state;
    }

    /** Applies the configuration. On the loop. */
    void configure(VmConfig config) {
        Optional<Wish> next = Wish.of(config);
        if (!next.equals(wish)) {
            wish = next;
            tell(() -> begin(next));
        }
    }

    /** A front-end came or went. On the loop. */
    void presenceChanged() {
        // Front-ends may come and go faster than the scanner can look.
        if (wish.isPresent() && !lookWaits.getAndSet(true)) {
            tell(() -> {
                lookWaits.set(false);
                look(false);
            });
        }
    }

    private void tell(Runnable task) {
        try {
            scanner.execute(task);
        } catch (RejectedExecutionException e) {
            LOG.debug("{}: it has been closed", vm);
        }
    }

    /**
     * Stops the watch until {@link #comeBack} (VMM-ACTIVE-4). On the loop. The result completes on another thread, when
     * nothing of the VMM is watched any more.
     */
    CompletableFuture<Void> leave() {
        migrations.incrementAndGet();
        return wish.isEmpty()
                ? CompletableFuture.completedFuture(null)
                : CompletableFuture.runAsync(() -> unknown(MIGRATES), scanner);
    }

    /** Ends one {@link #leave}. On the loop. */
    void comeBack() {
        migrations.decrementAndGet();
        presenceChanged();
    }

    private void begin(Optional<Wish> next) {
        wanted = next;
        unknown(NOBODY);
        nextTry = System.nanoTime();
        scanAgain();
        look(false);
    }

    /** Begins an interval now. */
    private void scanAgain() {
        if (scans != null) {
            scans.cancel(false);
        }
        scans = wanted.<Future<?>>map(of ->
                        scanner.scheduleWithFixedDelay(() -> look(true), of.seconds(), of.seconds(), TimeUnit.SECONDS))
                .orElse(null);
    }

    /** @param intervalOver whether a scan is due */
    private void look(boolean intervalOver) {
        try {
            wanted.ifPresent(of -> look(of, intervalOver));
        } catch (RuntimeException e) {
            LOG.warn("{}: can't estimate the memory that its guest writes", vm, e);
            failed(String.valueOf(e.getMessage()));
        }
    }

    private void look(Wish of, boolean intervalOver) {
        if (migrations.get() > 0) {
            unknown(MIGRATES);
            return;
        }
        Watching now = watching;
        List<Range> known = now == null ? List.of() : now.ranges();
        boolean due = System.nanoTime() - nextTry >= 0;
        try {
            Optional<Shared> found = onLoop(
                    () -> guest.isConnected() ? Optional.of(shared(known, due)) : Optional.<Shared>empty(),
                    late -> late.ifPresent(Shared::close));
            if (found.isEmpty()) {
                nextTry = System.nanoTime();
                unknown(NOBODY);
                return;
            }
            try (Shared shared = found.get()) {
                if (shared.ranges().isEmpty()) {
                    unknown("the guest's memory is not shared yet");
                    lookSoon();
                } else if (now != null && shared.ranges().equals(known)) {
                    if (intervalOver) {
                        scan(of, now);
                    }
                } else if (due) {
                    letGo();
                    attach(of, shared);
                }
            }
        } catch (TimeoutException e) {
            // The loop is held up, so this scan is left out. If files were requested, do not request them again at
            // once.
            if (due) {
                nextTry = System.nanoTime() + AGAIN.toNanos();
            }
            LOG.debug("{}: no scan, as its devices do not respond", vm);
        } catch (IOException e) {
            failed(String.valueOf(e.getMessage()));
        }
    }

    /** Looks again soon: the VMM shares memory when the guest's driver starts, and that causes no notification. */
    private void lookSoon() {
        if (soon == null || soon.isDone()) {
            soon = scanner.schedule(
                    () -> {
                        soon = null;
                        look(false);
                    },
                    SOON.toMillis(),
                    TimeUnit.MILLISECONDS);
        }
    }

    /** @param late receives an answer that came after the limit */
    private <T> T onLoop(Callable<T> question, Consumer<T> late) throws IOException, TimeoutException {
        CompletableFuture<T> answer = loop.submit(question);
        try {
            return answer.get(LOOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            answer.thenAccept(late);
            throw e;
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            throw new IOException(cause == null ? null : cause.getMessage(), e);
        } catch (InterruptedException e) {
            answer.thenAccept(late);
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** Returns the shared memory. Opens its files only if the memory differs from what is known, and files are wanted. */
    private Shared shared(List<Range> known, boolean wantsFiles) throws LinuxException {
        List<MemoryRegionPlan> guarding = guest.devices().stream()
                .filter(device -> device.violation() == Violation.PREVENT)
                .map(MemoryConfig::plan)
                .toList();
        List<Range> ranges = new ArrayList<>();
        List<MemoryRegion> regions = guest.sharedMemory();
        for (MemoryRegion region : regions) {
            ranges.add(new Range(region.guestAddress(), region.size(), false));
            guarding.forEach(plan -> guarded(plan, region).ifPresent(ranges::add));
        }
        Shared shared = new Shared(ranges, new ArrayList<>(), new ArrayList<>());
        if (!wantsFiles || ranges.equals(known)) {
            return shared;
        }
        try {
            for (MemoryRegion region : regions) {
                shared.all().add(part(region, new Range(region.guestAddress(), region.size(), false)));
                for (MemoryRegionPlan plan : guarding) {
                    Optional<Range> range = guarded(plan, region);
                    if (range.isPresent()) {
                        shared.guarded().add(part(region, range.get()));
                    }
                }
            }
            return shared;
        } catch (LinuxException e) {
            shared.close();
            throw e;
        }
    }

    private static VmmProcesses.Part part(MemoryRegion region, Range range) throws LinuxException {
        return VmmProcesses.Part.of(region, range.address(), range.address() + range.size());
    }

    /** The part of a region that a guard may watch (VMM-ACTIVE-5). */
    private static Optional<Range> guarded(MemoryRegionPlan plan, MemoryRegion region) {
        long from = Math.max(plan.address(), region.guestAddress());
        long end = Math.min(plan.address() + plan.size(), region.guestAddress() + region.size());
        return from < end ? Optional.of(new Range(from, end - from, true)) : Optional.empty();
    }

    private void attach(Wish of, Shared shared) throws IOException {
        WatchedMemory memory = vmm.watch(of.qmp(), shared.all(), shared.guarded());
        watching = new Watching(memory, shared.ranges(), new ArrayDeque<>());
        scanAgain();
        state = Optional.of(new ActiveState.Unknown(of.seconds(), "the first interval is not over yet"));
        LOG.info("{}: measuring the memory that its guest writes, every {} s", vm, of.seconds());
    }

    private void scan(Wish of, Watching now) throws IOException {
        long start = System.nanoTime();
        long written = now.memory().written();
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        if (now.last().size() == SCANS) {
            now.last().removeFirst();
        }
        now.last().addLast(written);
        long most = now.last().stream().mapToLong(Long::longValue).max().orElse(0);
        state = Optional.of(new ActiveState.Known(
                of.seconds(),
                now.memory().watched(),
                written,
                most,
                took,
                now.memory().stopped()));
    }

    private void failed(String why) {
        nextTry = System.nanoTime() + AGAIN.toNanos();
        if (!state.equals(wanted.map(of -> new ActiveState.Unknown(of.seconds(), why)))) {
            LOG.warn("{}: can't measure the memory that its guest writes: {}", vm, why);
        }
        unknown(why);
    }

    private void unknown(String why) {
        letGo();
        state = wanted.map(of -> new ActiveState.Unknown(of.seconds(), why));
    }

    private void letGo() {
        if (watching != null) {
            watching.memory().close();
            watching = null;
        }
    }

    /** Ends this for good. Waits at most two seconds for a scan that is under way. Any thread may call this but the loop. */
    @Override
    public void close() {
        tell(() -> begin(Optional.empty()));
        scanner.shutdown();
        try {
            if (!scanner.awaitTermination(CLOSE_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.debug("{}: the VMM does not respond", vm);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
