package org.exomem.embedded;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * The guest's use of its memory. It takes pages and writes them, rewrites them, releases them and takes others, and
 * verifies all the time that each has the content that was written last. Starts paused. Its methods are for one thread
 * at a time, except where they say otherwise.
 */
final class GuestProgram implements AutoCloseable {
    private static final long CLOSE_SECONDS = 10;
    private static final int MOST_THROTTLE = 99;

    private final PageAllocator allocator;
    private final RunGate gate = new RunGate();
    private final List<Processor> processors = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private final HeldPages driversPages;
    private final Consumer<String> failed;
    private volatile Load load = Load.QUIET;
    private volatile int throttle;

    /**
     * @param count the guest's processors
     * @param seed determines contents and which pages are used
     * @param failed called once, on any thread, when the guest fails
     */
    GuestProgram(EmbeddedRam ram, int count, long seed, Consumer<String> failed) {
        this.allocator = new PageAllocator(ram);
        this.failed = failed;
        this.driversPages = new HeldPages(ram, seed, 0, count + 1);
        for (int i = 0; i < count; i++) {
            HeldPages held = new HeldPages(ram, seed, i + 1, count + 1);
            processors.add(new Processor(this, allocator, held, gate, seed + i));
        }
    }

    /** Starts the processors, which wait for {@link #resume}. */
    void start() {
        for (Processor processor : processors) {
            Thread thread = Thread.ofPlatform()
                    .daemon()
                    .name("guest-cpu-" + threads.size())
                    .unstarted(() -> run(processor));
            threads.add(thread);
            thread.start();
        }
    }

    private void run(Processor processor) {
        try {
            processor.run();
            processor.end("the guest has ended");
        } catch (WrongContentException e) {
            String message = String.valueOf(e.getMessage());
            processor.end(message);
            failed.accept(message);
        } catch (InterruptedException | RuntimeException | Error e) {
            // An InternalError means that the file system has no room for a page.
            processor.end(e.toString());
            failed.accept("a processor of the guest ended: " + e);
        }
    }

    PageAllocator allocator() {
        return allocator;
    }

    /** The pages that a driver uses itself, on its own thread. Guarded by their own lock. */
    HeldPages driversPages() {
        return driversPages;
    }

    int processors() {
        return processors.size();
    }

    /** For any thread. */
    Load load() {
        return load;
    }

    /** Sets another load. A paused guest uses it from its next run. */
    void setLoad(Load next) {
        load = next;
        gate.call();
    }

    /** For any thread. */
    int throttle() {
        return throttle;
    }

    /** @param percent of its time that a processor does not run */
    void setThrottle(int percent) {
        if (percent < 0 || percent > MOST_THROTTLE) {
            throw new IllegalArgumentException("a throttle must be 0 to " + MOST_THROTTLE + " percent");
        }
        throttle = percent;
        gate.call();
    }

    /** Lets the guest run. */
    void resume() {
        gate.open();
    }

    /** Stops the guest. When this returns, all that it wrote is in memory and recorded in the log. */
    void pause() {
        gate.stop();
    }

    /**
     * Makes the running guest do a job with this many pages, and waits for its end. Safe for use by several threads.
     *
     * @return whether the guest could do it
     */
    boolean work(Job.Kind kind, long pages) {
        List<CompletableFuture<Boolean>> done = new ArrayList<>();
        for (int i = 0; i < processors.size(); i++) {
            Job job = new Job(kind, pages * (i + 1) / processors.size() - pages * i / processors.size());
            processors.get(i).add(job);
            done.add(job.done());
        }
        gate.call();
        boolean all = true;
        for (CompletableFuture<Boolean> one : done) {
            try {
                all &= one.get();
            } catch (ExecutionException e) {
                throw new IllegalStateException("the guest ended meanwhile", e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while the guest works", e);
            }
        }
        return all;
    }

    /** The number of pages that the paused guest holds. */
    int heldPages() {
        synchronized (driversPages) {
            return held().stream().mapToInt(HeldPages::count).sum();
        }
    }

    /**
     * Verifies all pages of the paused guest.
     *
     * @return what is wrong, one sentence for each page
     */
    List<String> verify() {
        List<String> wrong = new ArrayList<>();
        // A driver is not a processor: it continues while the processors are stopped.
        synchronized (driversPages) {
            for (HeldPages held : held()) {
                for (int i = 0; i < held.count(); i++) {
                    try {
                        held.check(i);
                    } catch (WrongContentException e) {
                        wrong.add(e.getMessage());
                    }
                }
            }
        }
        return wrong;
    }

    private List<HeldPages> held() {
        List<HeldPages> all = new ArrayList<>();
        all.add(driversPages);
        processors.forEach(processor -> all.add(processor.held()));
        return all;
    }

    /** Saves the state of the paused guest. */
    void save(DataOutput out) throws IOException {
        load.save(out);
        for (HeldPages held : held()) {
            held.save(out);
        }
    }

    /**
     * Loads what another guest has saved, before this guest first runs. It verifies all its pages before it does
     * anything else with them.
     */
    void load(DataInput in) throws IOException {
        load = Load.load(in);
        for (HeldPages held : held()) {
            held.load(in);
            for (int i = 0; i < held.count(); i++) {
                if (!allocator.take(held.page(i))) {
                    throw new IOException("the state has page " + held.page(i) + " twice");
                }
            }
        }
        processors.forEach(processor -> processor.add(new Job(Job.Kind.CHECK, 0)));
    }

    @Override
    public void close() {
        if (!gate.close(CLOSE_SECONDS, TimeUnit.SECONDS)) {
            throw new IllegalStateException("a processor of the guest does not stop");
        }
        for (Thread thread : threads) {
            try {
                thread.join(TimeUnit.SECONDS.toMillis(CLOSE_SECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }
}
