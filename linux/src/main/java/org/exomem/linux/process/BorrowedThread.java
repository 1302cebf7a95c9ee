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
 * The main thread of another process, which stands still and makes system calls for this one. {@link #close} lets it go on where
 * it was, with the registers and signals that it had. x86-64 only. For one thread, which made it.
 *
 * <pre>
 * runs --seize--> traced --interrupt--> stopped --close--> runs
 *                                        |  ^
 *                                   call |  | interrupt
 *                                        v  |
 *                                 enters, leaves the call
 * </pre>
 *
 * <p>This process may be killed at any moment. Therefore the calls are made by the very instruction by which the thread entered the
 * kernel: it then returns from its own call with a number that it did not expect, as from a poll in which nothing has happened,
 * and goes on. And it is never stopped by a signal, as single steps would, for the kernel would then deliver that.
 */
final class BorrowedThread implements AutoCloseable {
    private static final int EVENT_STOP = 128;
    private static final int SIGTRAP = 5;
    private static final int AT_CALL = SIGTRAP | 0x80;
    private static final int STOPPED = 0x7f;
    /** Between two looks whether it has stopped, which takes it some microseconds. */
    private static final long LOOK_NANOS = 20_000;

    private static final byte[] SYSCALL = {0x0f, 0x05};

    private enum State {
        /** It runs, or is about to stop. */
        RUNS,
        /** It stands where it may go on with other registers. */
        STOPPED,
        /** It stands in a system call that it makes for this process. */
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

    /** The thread was not waiting for anything just then; it may be a little later. */
    static final class BusyException extends IOException {
        private static final long serialVersionUID = 1L;

        BusyException(String message) {
            super(message);
        }
    }

    /**
     * Stops the main thread of a process.
     *
     * @param limit how long to wait for it, each time
     * @throws BusyException if it is in no system call
     * @throws IOException if that is not allowed, another traces it, it has ended, or it does not stop in time; it then runs on
     */
    static BorrowedThread stop(Tracing tracing, ProcessFd process, Duration limit) throws IOException {
        int pid = process.pid();
        BorrowedThread thread = new BorrowedThread(tracing, pid, limit);
        expectAlive(process);
        tracing.seize(pid);
        // Opened before it stands still: that takes as long as all the rest.
        try (FileChannel memory = FileChannel.open(Path.of("/proc", Integer.toString(pid), "mem"), READ)) {
            // Once more, as what is traced keeps its number. Another one that got it runs on, and the end of this
            // thread lets go of it.
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
            throw new BusyException("the main thread of " + process + " is in no system call");
        }
        return next - SYSCALL.length;
    }

    /** Waits until it stands so. Signals that come first are kept for it. */
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
     * Has the thread make a system call.
     *
     * @param arguments six at the most
     * @return what the call returned: the negative of an error number if it failed
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

    /** Where it was interrupted the kernel begins its own call again when it goes on; it does not where it leaves another. */
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
     * Lets it go on. Where even that fails, the end of the thread that calls this lets go of it.
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

    /** Once more if it fails: only the end of the process makes it fail for good, and the thread must not be left as it is now. */
    private static int twice(Attempt attempt) throws LinuxException {
        try {
            return attempt.run();
        } catch (LinuxException e) {
            return attempt.run();
        }
    }
}
