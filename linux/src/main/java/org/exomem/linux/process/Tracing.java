package org.exomem.linux.process;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;

/**
 * The calls of {@code ptrace} that are needed to borrow a thread for a moment. All calls for one thread must come from the
 * same thread of this process; when that ends, the kernel detaches it from what it traced.
 */
interface Tracing {
    /** Begins to trace a thread, which goes on. */
    void seize(int thread) throws LinuxException;

    /** Asks it to stop, even in a system call, which goes on afterwards. */
    void interrupt(int thread) throws LinuxException;

    /** Returns its status from {@code waitpid}, or 0 if nothing has changed. Does not wait. */
    int poll(int thread) throws LinuxException;

    void getRegisters(int thread, Registers into) throws LinuxException;

    void setRegisters(int thread, Registers from) throws LinuxException;

    /** Lets it run until it enters or leaves a system call. */
    void goOnToCall(int thread) throws LinuxException;

    /**
     * Lets it run until it stops again.
     *
     * @param signal that it gets, if it stopped for one; 0 for none
     */
    void goOn(int thread, int signal) throws LinuxException;

    /** Detaches from it. */
    void detach(int thread) throws LinuxException;

    /** Sends it a signal. */
    void signal(int process, int signal) throws LinuxException;

    /** The kernel's calls. */
    Tracing REAL = new Tracing() {
        private static final int SEIZE = 0x4206;
        private static final int INTERRUPT = 0x4207;
        private static final int GET_REGISTERS = 12;
        private static final int SET_REGISTERS = 13;
        private static final int CONTINUE = 7;
        private static final int TO_SYSTEM_CALL = 24;
        /** Option: distinguishes a stop at a system call from a signal. */
        private static final int TELL_SYSTEM_CALLS = 1;

        private static final int DETACH = 17;
        private static final int NO_HANG = 1;
        private static final int ALL_THREADS = 0x40000000;

        @Override
        public void seize(int thread) throws LinuxException {
            call(SEIZE, "SEIZE", thread, TELL_SYSTEM_CALLS);
        }

        @Override
        public void interrupt(int thread) throws LinuxException {
            call(INTERRUPT, "INTERRUPT", thread, 0);
        }

        @Override
        public int poll(int thread) throws LinuxException {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment status = arena.allocate(JAVA_INT);
                int result = ProcessCalls.waitpid(thread, status.address(), NO_HANG | ALL_THREADS);
                if (result < 0) {
                    throw new LinuxException("waitpid", "thread " + thread, ProcessCalls.errno());
                }
                return result == 0 ? 0 : status.get(JAVA_INT, 0);
            }
        }

        @Override
        public void getRegisters(int thread, Registers into) throws LinuxException {
            call(GET_REGISTERS, "GETREGS", thread, into.address());
        }

        @Override
        public void setRegisters(int thread, Registers from) throws LinuxException {
            call(SET_REGISTERS, "SETREGS", thread, from.address());
        }

        @Override
        public void goOnToCall(int thread) throws LinuxException {
            call(TO_SYSTEM_CALL, "SYSCALL", thread, 0);
        }

        @Override
        public void goOn(int thread, int signal) throws LinuxException {
            call(CONTINUE, "CONT", thread, signal);
        }

        @Override
        public void detach(int thread) throws LinuxException {
            call(DETACH, "DETACH", thread, 0);
        }

        @Override
        public void signal(int process, int signal) throws LinuxException {
            if (ProcessCalls.syscall(ProcessCalls.TGKILL, process, process, signal) < 0) {
                throw new LinuxException("tgkill", "process " + process, ProcessCalls.errno());
            }
        }

        private static void call(int request, String name, int thread, long data) throws LinuxException {
            if (ProcessCalls.ptrace(request, thread, 0, data) < 0) {
                int errno = ProcessCalls.errno();
                if (request == SEIZE && errno == Errno.EPERM) {
                    throw new LinuxException(
                            "ptrace(" + name + ")",
                            "thread " + thread,
                            errno,
                            "it requires root, CAP_SYS_PTRACE, or the same user with kernel.yama.ptrace_scope=0");
                }
                throw new LinuxException("ptrace(" + name + ")", "thread " + thread, errno);
            }
        }
    };
}
