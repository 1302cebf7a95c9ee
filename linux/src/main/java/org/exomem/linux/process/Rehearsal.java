package org.exomem.linux.process;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;

/**
 * Runs all code that is used while a thread of another process is stopped, without one: loading and linking classes for the
 * first time takes tens of milliseconds, and the other process would wait for that.
 */
final class Rehearsal implements Tracing {
    private static final int SELF = (int) ProcessHandle.current().pid();
    private static final int STOPPED = 128 << 16 | 5 << 8 | 0x7f;
    private static final int AT_CALL = (5 | 0x80) << 8 | 0x7f;
    private static final byte[] SYSCALL = {0x0f, 0x05};
    private static final int CALLS = 3;
    private static final int STDIN = 0;
    private static final Duration LIMIT = Duration.ofSeconds(1);

    private static boolean done;

    /** The place where the thread seems to be in a system call. */
    private final MemorySegment code = Arena.ofAuto().allocate(SYSCALL.length);

    private int status;

    private Rehearsal() {
        MemorySegment.copy(SYSCALL, 0, code, JAVA_BYTE, 0, SYSCALL.length);
    }

    /** Does nothing if it was done in this process before. Safe for use by several threads. */
    static synchronized void once() {
        if (!done) {
            done = true;
            try {
                rehearse();
            } catch (IOException e) {
                // Then the first process that is attached to waits a little longer.
            }
        }
    }

    static void rehearse() throws IOException {
        try (ProcessFd itself = ProcessFd.open(SELF);
                BorrowedThread thread = BorrowedThread.stop(new Rehearsal(), itself, LIMIT)) {
            for (int i = 0; i < CALLS; i++) {
                thread.call(0, 0);
            }
            itself.fetch(STDIN).close();
        }
    }

    @Override
    public void seize(int thread) {}

    @Override
    public void interrupt(int thread) {
        status = STOPPED;
    }

    @Override
    public int poll(int thread) {
        int now = status;
        status = 0;
        return now;
    }

    @Override
    public void getRegisters(int thread, Registers into) {
        into.goTo(code.address() + SYSCALL.length);
    }

    @Override
    public void setRegisters(int thread, Registers from) {}

    @Override
    public void goOnToCall(int thread) {
        status = AT_CALL;
    }

    @Override
    public void goOn(int thread, int signal) {}

    @Override
    public void detach(int thread) {}

    @Override
    public void signal(int process, int signal) {}
}
