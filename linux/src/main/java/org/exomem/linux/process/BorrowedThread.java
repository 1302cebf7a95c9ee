package org.exomem.linux.process;

import static java.nio.file.StandardOpenOption.READ;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.exomem.linux.LinuxException;
import org.jspecify.annotations.Nullable;

/**
 * The main thread of another process, which is stopped and makes system calls for this one. {@link #close} lets it go on
 * where it was, with its registers and signals. x86-64 only. For one thread, which made it.
 *
 * <pre>
 * runs --seize--> traced --interrupt--> stopped --close--> runs
 *                                        |  ^
 *                                   call |  | interrupt
 *                                        v  |
 *                                 enters, leaves the call
 * </pre>
 *
 * <p>This process may be killed at any moment. Therefore the calls are made with the same instruction with which the thread
 * entered the kernel: it then returns from its own call with an unexpected number, as from a poll in which nothing has
 * happened, and goes on. And it is never stopped by a signal, as single steps would do, because the kernel would then
 * deliver that signal.
 */
final class BorrowedThread implements AutoCloseable {
    private static final int EVENT_STOP = 128;
    private static final int SIGTRAP = 5;
    private static final int AT_CALL = SIGTRAP | 0x80;
    private static final int STOPPED = 0x7f;
    /** The time between two checks whether it has stopped, which takes some microseconds. */
    private static final long LOOK_NANOS = 20_000;

    private static final byte[] SYSCALL = {0x0f, 0x05};

    private enum State {
        /** It runs, or is about to stop. */
        RUNS,
        /** It is stopped where it may continue with other registers. */
        STOPPED,
        /** It is stopped in a system call that it makes for this process. */
        AT_CALL
    }

    private final Tracing tracing;
    private final int thread;
    private final Duration limit;
    private final List<Integer> signals = new ArrayList<>();
    private State state = State.RUNS;
    private @Nullable Registers saved;
    private long instruction;

    private BorrowedThread(Tracing tracing, int thread, Duration limit) {
        this.tracing = tracing;
        this.thread = thread;
        this.limit = limit;
    }

    /** The thread was in no system call; it may be a little later. */
    static final class BusyException extends IOException {
        private static final long serialVersionUID = 1L;

        BusyException(String message) {
            super(message);
        }
    }

    /**
     * Stops the main thread of a process.
     *
     * @param limit the longest wait for it, each time
     * @throws BusyException if it is in no system call
     * @throws IOException if that is not allowed, another process traces it, it has ended, or it does not stop in time; it
     *     goes on then
     */
    static BorrowedThread stop(Tracing tracing, ProcessFd process, Duration limit) throws IOException {
        int pid = process.pid();
        BorrowedThread thread = new BorrowedThread(tracing, pid, limit);
        expectAlive(process);
        tracing.seize(pid);
        // Opened before the thread is stopped, because that takes as long as everything else.
        try (FileChannel memory = FileChannel.open(Path.of("/proc", Integer.toString(pid), "mem"), READ)) {
            // Checked again, because a traced process keeps its number. Another process that got the number goes on,
            // and the end of this thread detaches from it.
            expectAlive(process);
            Registers registers = new Registers();
            tracing.interrupt(pid);
            thread.await(State.STOPPED);
            tracing.getRegisters(pid, registers);
            thread.instruction = systemCallBefore(memory, registers.instruction(), process);
            thread.saved = registers;
            return thread;
        } catch (IOException | RuntimeException e) {
            thread.close();
            throw e;
        }
    }

    private static void expectAlive(ProcessFd process) throws IOException {
        if (!process.isAlive()) {
            throw new IOException(process + " has ended");
        }
    }

    private static long systemCallBefore(FileChannel memory, long next, ProcessFd process) throws IOException {
        ByteBuffer found = ByteBuffer.allocate(SYSCALL.length);
        memory.read(found, next - SYSCALL.length);
        if (!ByteBuffer.wrap(SYSCALL).equals(found.flip())) {
            throw new BusyException("the main thread of " + process + " is not in a system call");
        }
        return next - SYSCALL.length;
    }

    /** Waits until it has this state. Signals that come first are kept for it. */
    private void await(State wanted) throws IOException {
        long end = System.nanoTime() + limit.toNanos();
        while (state != wanted) {
            int status = twice(() -> tracing.poll(thread));
            if (status != 0) {
                stopped(status, wanted);
            } else if (System.nanoTime() - end > 0) {
                throw new IOException("process " + thread + " did not stop in time");
            } else {
                LockSupport.parkNanos(LOOK_NANOS);
            }
        }
    }

    private void stopped(int status, State wanted) throws IOException {
        int signal = status >>> 8 & 0xff;
        if ((status & 0xff) != STOPPED) {
            throw new IOException("process " + thread + " has ended");
        }
        if (status >>> 16 == EVENT_STOP) {
            state = State.STOPPED;
            if (signal != SIGTRAP) {
                throw new IOException("process " + thread + " is stopped by signal " + signal);
            }
        } else if (signal == AT_CALL) {
            state = State.AT_CALL;
        } else {
            signals.add(signal);
            goOn(wanted);
        }
    }

    private void goOn(State to) throws IOException {
        twice(() -> {
            if (to == State.AT_CALL) {
                tracing.goOnToCall(thread);
            } else {
                tracing.goOn(thread, 0);
            }
            return 0;
        });
        state = State.RUNS;
    }

    /**
     * Lets the thread make a system call.
     *
     * @param arguments at most six
     * @return the result of the call: the negative of an error number if it failed
     * @throws IOException if the thread's process has ended
     */
    long call(long number, long... arguments) throws IOException {
        Registers before = saved;
        if (before == null) {
            throw new IllegalStateException("it is not stopped");
        }
        Registers registers = before.forCall(instruction, number, arguments);
        set(registers);
        goOn(State.AT_CALL);
        await(State.AT_CALL);
        goOn(State.AT_CALL);
        await(State.AT_CALL);
        twice(() -> {
            tracing.getRegisters(thread, registers);
            return 0;
        });
        Reference.reachabilityFence(registers);
        standStill();
        return registers.result();
    }

    private void set(Registers registers) throws IOException {
        twice(() -> {
            tracing.setRegisters(thread, registers);
            return 0;
        });
        Reference.reachabilityFence(registers);
    }

    /**
     * If the thread continues where it was interrupted, the kernel restarts its own call; it does not when the thread leaves
     * another call.
     */
    private void standStill() throws IOException {
        if (state == State.STOPPED) {
            return;
        }
        twice(() -> {
            tracing.interrupt(thread);
            return 0;
        });
        if (state == State.AT_CALL) {
            goOn(State.STOPPED);
        }
        await(State.STOPPED);
    }

    /**
     * Lets the thread go on. If that fails, the end of the calling thread detaches from it.
     *
     * @throws IOException if the thread may not be as it was
     */
    @Override
    public void close() throws IOException {
        Registers registers = saved;
        if (registers != null) {
            standStill();
            set(registers);
        }
        for (int signal : signals) {
            tracing.signal(thread, signal);
        }
        if (state == State.STOPPED) {
            twice(() -> {
                tracing.detach(thread);
                return 0;
            });
            state = State.RUNS;
        }
    }

    private interface Attempt {
        int run() throws LinuxException;
    }

    /**
     * Repeats a failed call once: only the end of the process makes it fail forever, and the thread must not stay in its
     * present state.
     */
    private static int twice(Attempt attempt) throws LinuxException {
        try {
            return attempt.run();
        } catch (LinuxException e) {
            return attempt.run();
        }
    }
}
