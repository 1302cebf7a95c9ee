package org.exomem.embedded;

import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;

/** One thread of the guest's program, with pages of its own. */
final class Processor {
    private static final long MOST_INSIDE = 1_000_000;
    private static final long REST = 2_000_000;
    private static final long QUIET_REST = 20_000_000;
    private static final int AT_ONCE = 16;
    /** The limit for work that was missed during a pause, in nanoseconds. The rest is dropped. */
    private static final long MOST_MISSED = 50_000_000;

    private final GuestProgram program;
    private final PageAllocator allocator;
    private final HeldPages held;
    private final RunGate gate;
    private final SplittableRandom random;
    private final Queue<Job> jobs = new ConcurrentLinkedQueue<>();
    private final Pace writes = new Pace();
    private final Pace churn = new Pace();
    private final Pace checks = new Pace();
    private long jobDone;
    private boolean waits;
    private long last = System.nanoTime();

    Processor(GuestProgram program, PageAllocator allocator, HeldPages held, RunGate gate, long seed) {
        this.program = program;
        this.allocator = allocator;
        this.held = held;
        this.gate = gate;
        this.random = new SplittableRandom(seed);
    }

    HeldPages held() {
        return held;
    }

    /** Queues a job, which has priority over everything else. The caller must then call {@link RunGate#call}. */
    void add(Job job) {
        jobs.add(job);
    }

    /** Runs until the gate closes. */
    void run() throws InterruptedException, WrongContentException {
        while (gate.enter()) {
            long start = System.nanoTime();
            long calls = gate.calls();
            boolean busy;
            try {
                busy = slice(start);
            } finally {
                gate.leave();
            }
            long ran = System.nanoTime() - start;
            int throttle = program.throttle();
            long rest = ran * throttle / (100 - throttle);
            if (rest > 0 || !busy) {
                gate.rest(Math.max(rest, busy ? 0 : isQuiet() ? QUIET_REST : REST), calls);
            }
        }
    }

    /** Ends the processor: waiting jobs fail with this reason. */
    void end(String why) {
        for (Job job = jobs.poll(); job != null; job = jobs.poll()) {
            job.done().completeExceptionally(new IllegalStateException(why));
        }
    }

    private boolean isQuiet() {
        return jobs.isEmpty() && program.load().isQuiet();
    }

    /** Does the work that is due, for a millisecond at most. Returns whether there is more. */
    private boolean slice(long start) throws WrongContentException {
        Job job = jobs.peek();
        while (job != null) {
            waits = false;
            if (!work(job, start)) {
                last = System.nanoTime();
                return !waits;
            }
            jobs.remove();
            jobDone = 0;
            job = jobs.peek();
        }
        Load load = program.load();
        long missed = Math.min(start - last, MOST_MISSED);
        last = start;
        int share = program.processors();
        boolean more = repeat(start, churn.due(load.churn(), share, missed), () -> exchange(load.pressure()));
        more |= repeat(start, checks.due(load.checks(), share, missed), held::checkNext);
        // Last, because their number may be unlimited.
        more |= repeat(start, writes.due(load.writes(), share, missed), this::rewriteAny);
        return more;
    }

    /** A step of the program. */
    private interface Step {
        void run() throws WrongContentException;
    }

    /** Returns true if the time ran out first: the guest can't keep up, and the rest is dropped. */
    private boolean repeat(long start, long times, Step step) throws WrongContentException {
        for (long i = 0; i < times; i++) {
            if (i % AT_ONCE == 0 && isOver(start)) {
                return true;
            }
            step.run();
        }
        return false;
    }

    private boolean isOver(long start) {
        return gate.isWantedOutside() || System.nanoTime() - start > MOST_INSIDE;
    }

    private void rewriteAny() {
        if (held.count() > 0) {
            held.rewrite(random.nextInt(held.count()));
        }
    }

    /** Takes a page and releases another. */
    private void exchange(boolean pressure) {
        int page = pressure ? allocator.takeHinted() : PageAllocator.NONE;
        page = page == PageAllocator.NONE ? allocator.take() : page;
        if (page != PageAllocator.NONE) {
            held.add(page);
        }
        if (held.count() > 0) {
            allocator.give(held.remove(random.nextInt(held.count())));
        }
    }

    /** Continues a job. Returns whether it is done. */
    private boolean work(Job job, long start) throws WrongContentException {
        long end = job.kind() == Job.Kind.CHECK ? held.count() : job.pages();
        while (jobDone < end) {
            int done = step(job, end - jobDone);
            if (done == 0) {
                if (job.kind() == Job.Kind.FILL && allocator.findsMore()) {
                    waits = true;
                    return false;
                }
                job.done().complete(false);
                return true;
            }
            jobDone += done;
            if ((done > 1 || jobDone % AT_ONCE == 0) && isOver(start)) {
                return false;
            }
        }
        job.done().complete(true);
        return true;
    }

    /** Does a part of a job, at most {@code most} pages. Returns the number of pages, 0 if it can't continue. */
    private int step(Job job, long most) throws WrongContentException {
        switch (job.kind()) {
            case FILL -> {
                return fill((int) Math.min(Integer.MAX_VALUE, most));
            }
            case FREE -> {
                if (held.count() == 0) {
                    return 0;
                }
                allocator.give(held.remove(held.count() - 1));
            }
            case CHECK -> held.check((int) jobDone);
        }
        return 1;
    }

    private int fill(int most) {
        PageAllocator.Run run = allocator.takeRun(most);
        if (run != null) {
            held.add(run);
            return run.count();
        }
        int page = allocator.take();
        if (page == PageAllocator.NONE) {
            return 0;
        }
        held.add(page);
        return 1;
    }
}
