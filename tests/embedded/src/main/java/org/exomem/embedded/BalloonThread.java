package org.exomem.embedded;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.embedded.EmbeddedOptions.Hints;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Poll;
import org.jspecify.annotations.Nullable;

/**
 * A balloon that is plugged into the guest, with a thread of its own. Requests of the VMM are carried out between two
 * steps of the driver. Safe for use by any thread.
 */
final class BalloonThread implements AutoCloseable {
    private static final long LIMIT_SECONDS = 60;
    private static final GuestBalloon.Seen NOTHING = new GuestBalloon.Seen(0, 0, 0, 0);

    private final EmbeddedRam ram;
    private final GuestProgram program;
    private final Hints answer;
    private final EventFd wake = new EventFd();
    /** Tasks are added under this queue's own lock. */
    private final Queue<Task> tasks = new ConcurrentLinkedQueue<>();

    private final CompletableFuture<Boolean> begun = new CompletableFuture<>();
    private final Thread thread;
    /** The connection of a plugged device until its driver begins. */
    private @Nullable FrontEnd frontEnd;
    /** The balloon once its driver has begun. It remains when it is broken, because its pages are still gone then. */
    private @Nullable GuestBalloon balloon;

    private @Nullable Runnable leaving;
    private boolean running;
    private boolean ended;
    private boolean over;
    private volatile GuestBalloon.Seen seen = NOTHING;
    private volatile @Nullable String broken;

    /** An action for the thread, and a future for its completion. */
    private record Task(Action action, CompletableFuture<Boolean> done) {}

    /** The work of a task. */
    private interface Action {
        void run() throws IOException;
    }

    private BalloonThread(FrontEnd frontEnd, EmbeddedRam ram, GuestProgram program, Hints answer, boolean running)
            throws LinuxException {
        this.frontEnd = frontEnd;
        this.ram = ram;
        this.program = program;
        this.answer = answer;
        this.running = running;
        this.thread = Thread.ofPlatform().daemon().name("guest-balloon").unstarted(this::run);
    }

    /** Plugs a balloon in. Its driver begins when the guest runs. Takes the connection over. */
    static BalloonThread plug(FrontEnd frontEnd, EmbeddedRam ram, GuestProgram program, Hints answer, boolean running)
            throws LinuxException {
        BalloonThread made = new BalloonThread(frontEnd, ram, program, answer, running);
        made.thread.start();
        return made;
    }

    private void run() {
        while (!ended) {
            try {
                work();
            } catch (IOException | RuntimeException | Error e) {
                // As with a real VMM, the guest continues with a device that does not answer any more.
                broken = String.valueOf(e.getMessage());
                begun.complete(false);
            }
        }
        if (frontEnd != null) {
            frontEnd.close();
        }
        if (balloon != null) {
            balloon.close();
        }
        synchronized (tasks) {
            over = true;
            tasks.forEach(task -> task.done.complete(false));
            tasks.clear();
            wake.close();
        }
    }

    private void work() throws IOException {
        while (!ended) {
            Task task = tasks.poll();
            if (task != null) {
                try {
                    task.action.run();
                } finally {
                    task.done.complete(true);
                }
            } else if (!running || !step()) {
                GuestBalloon current = running ? working() : null;
                List<Fd> channels = new ArrayList<>(current == null ? List.of() : current.channels());
                channels.add(wake.fd());
                Poll.anyReadable(channels, current == null ? Duration.ofDays(1) : current.patience());
                wake.drain();
            }
        }
    }

    /** Does a small part of the driver's work. Returns whether there is more. */
    private boolean step() throws IOException {
        Runnable gone = leaving;
        if (gone != null) {
            leaving = null;
            try {
                leave();
            } finally {
                gone.run();
            }
            return false;
        }
        FrontEnd connected = frontEnd;
        if (connected != null) {
            frontEnd = null;
            GuestBalloon started = GuestBalloon.start(connected, ram, program, answer);
            balloon = started;
            program.allocator().setRescue(() -> rescue(started));
            begun.complete(true);
        }
        GuestBalloon current = working();
        if (current == null) {
            return false;
        }
        boolean more = current.step();
        seen = current.seen();
        return more;
    }

    /** The balloon; null if its driver has not begun, or it is broken. */
    private @Nullable GuestBalloon working() {
        return broken == null ? balloon : null;
    }

    /** Runs on a processor's thread. */
    private boolean rescue(GuestBalloon started) {
        if (broken != null || !started.rescue()) {
            return false;
        }
        synchronized (tasks) {
            if (!over) {
                wake.signal();
            }
        }
        return true;
    }

    private void leave() throws IOException {
        boolean works = broken == null;
        GuestBalloon current = balloon;
        balloon = null;
        if (current != null) {
            try {
                if (works) {
                    current.leave();
                }
            } finally {
                current.close();
                current.forget();
                ram.driversWrote();
                seen = NOTHING;
            }
        }
    }

    /** @param done completed when the thread has done it, or has ended */
    private void add(Action action, CompletableFuture<Boolean> done) {
        synchronized (tasks) {
            if (over) {
                done.complete(false);
            } else {
                tasks.add(new Task(action, done));
                wake.signal();
            }
        }
    }

    private void execute(Action action) {
        CompletableFuture<Boolean> done = new CompletableFuture<>();
        add(action, done);
        await(done);
    }

    private static boolean await(CompletableFuture<Boolean> done) {
        try {
            return done.get(LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new IllegalStateException("the balloon's back-end does not answer", e);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while the balloon works", e);
        }
    }

    /** Waits until the driver has started. The guest must run. */
    void awaitDriver() throws IOException {
        if (!await(begun)) {
            throw new IOException("the balloon failed: " + broken);
        }
    }

    /** Stops driver and device. When this returns, they write nothing more, and the log has all that they wrote. */
    void pause() {
        execute(() -> {
            running = false;
            GuestBalloon current = working();
            try {
                if (current != null) {
                    current.stop();
                }
            } finally {
                ram.driversWrote();
            }
        });
    }

    /** Lets driver and device continue after {@link #stop}. */
    void resume() {
        execute(() -> {
            running = true;
            GuestBalloon current = working();
            if (current != null) {
                current.proceed();
            }
        });
    }

    /** Asks the guest to release the device. Runs {@code gone} on the balloon's thread when it has. */
    void unplug(Runnable gone) {
        add(() -> leaving = gone, new CompletableFuture<>());
    }

    /** The observable state of the driver; at most a step old. */
    GuestBalloon.Seen seen() {
        return seen;
    }

    /** Why the device does not work any more; null while it works. */
    @Nullable
    String broken() {
        return broken;
    }

    /** Closes the connection like a VMM that is killed. */
    @Override
    public void close() {
        add(() -> ended = true, new CompletableFuture<>());
        if (!Thread.currentThread().equals(thread)) {
            try {
                thread.join(TimeUnit.SECONDS.toMillis(LIMIT_SECONDS));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
