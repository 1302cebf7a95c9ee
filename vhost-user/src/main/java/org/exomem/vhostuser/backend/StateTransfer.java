package org.exomem.vhostuser.backend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PipeEnd;
import org.jspecify.annotations.Nullable;

/**
 * A transfer of bytes through a pipe, on the event loop and without waiting for the other end. Each step transfers as much
 * as the pipe takes or has, up to a limit, so that the loop can do other work.
 */
final class StateTransfer implements AutoCloseable {
    /** The longest inactivity of the other end before the transfer fails (STA-MOV-7). */
    static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final int AT_ONCE = 1 << 20;
    private static final int FIRST_ROOM = 1 << 16;

    /** Notified once of the end. */
    interface Outcome {
        /** All bytes were written, or read. They are freed when this returns. */
        void through(MemorySegment bytes);

        /** The transfer failed. */
        void failed(String reason);
    }

    private final PipeEnd pipe;
    private final EventLoop loop;
    private final Outcome outcome;
    private final long limit;
    /** Has the bytes; freed with the transfer. */
    private Arena arena;

    private MemorySegment bytes;
    private long done;
    private long seen;
    private EventLoop.@Nullable Watch watch;
    private EventLoop.@Nullable Timer timer;
    private boolean over;

    private StateTransfer(PipeEnd pipe, EventLoop loop, Outcome outcome, Arena arena, MemorySegment bytes, long limit) {
        this.pipe = pipe;
        this.loop = loop;
        this.outcome = outcome;
        this.arena = arena;
        this.bytes = bytes;
        this.limit = limit;
    }

    /** Begins to write the bytes, which belong to the arena. The pipe is closed after the last one, and then the arena. */
    static StateTransfer write(PipeEnd pipe, Arena arena, MemorySegment bytes, EventLoop loop, Outcome outcome) {
        StateTransfer transfer = new StateTransfer(pipe, loop, outcome, arena, bytes, bytes.byteSize());
        transfer.watch = loop.watchWritable(pipe.fd(), () -> transfer.step(transfer::writeSome));
        transfer.watchProgress();
        return transfer;
    }

    /** Begins to read to the end of the pipe; fails after {@code limit} bytes. */
    static StateTransfer read(PipeEnd pipe, long limit, EventLoop loop, Outcome outcome) {
        Arena arena = Arena.ofConfined();
        MemorySegment room = arena.allocate(Math.min(limit + 1, FIRST_ROOM));
        StateTransfer transfer = new StateTransfer(pipe, loop, outcome, arena, room, limit);
        transfer.watch = loop.watch(pipe.fd(), () -> transfer.step(transfer::readSome));
        transfer.watchProgress();
        return transfer;
    }

    @FunctionalInterface
    private interface Step {
        void run() throws LinuxException;
    }

    private void step(Step step) {
        if (over) {
            return;
        }
        try {
            step.run();
        } catch (LinuxException e) {
            fail(String.valueOf(e.getMessage()));
        }
    }

    private void writeSome() throws LinuxException {
        int written = pipe.write(bytes.asSlice(done, Math.min(AT_ONCE, bytes.byteSize() - done)));
        if (written != PipeEnd.WOULD_BLOCK) {
            done += written;
        }
        if (done == bytes.byteSize()) {
            settle(() -> outcome.through(bytes));
        }
    }

    private void readSome() throws LinuxException {
        if (done == bytes.byteSize()) {
            grow();
        }
        int read = pipe.read(bytes.asSlice(done, Math.min(AT_ONCE, bytes.byteSize() - done)));
        if (read == PipeEnd.WOULD_BLOCK) {
            return;
        }
        if (read == PipeEnd.END) {
            settle(() -> outcome.through(bytes.asSlice(0, done)));
            return;
        }
        done += read;
        if (done > limit) {
            fail("it has more than " + limit + " bytes, the limit for a state of this device");
        }
    }

    private void grow() {
        Arena larger = Arena.ofConfined();
        bytes = larger.allocate(Math.min(limit + 1, 2 * bytes.byteSize())).copyFrom(bytes);
        arena.close();
        arena = larger;
    }

    private void watchProgress() {
        seen = done;
        timer = loop.schedule(PATIENCE, () -> {
            if (over) {
                return;
            }
            if (done == seen) {
                fail("the VMM made no progress for " + PATIENCE.toSeconds() + " s, after " + done + " bytes");
            } else {
                watchProgress();
            }
        });
    }

    private void fail(String reason) {
        settle(() -> outcome.failed(reason));
    }

    private void settle(Runnable tell) {
        stop();
        try {
            tell.run();
        } finally {
            arena.close();
        }
    }

    /** Ends the transfer without notifying the outcome. */
    @Override
    public void close() {
        if (!over) {
            stop();
            arena.close();
        }
    }

    private void stop() {
        over = true;
        if (watch != null) {
            watch.close();
        }
        if (timer != null) {
            timer.cancel();
        }
        // Closing shows a reader that these were all bytes.
        pipe.close();
    }
}
