package org.exomem.linux.process;

import com.sun.jna.Native;
import org.exomem.linux.CLibrary;

/**
 * The native declarations, as in {@code org.exomem.linux.LibC}. {@code syscall} is for calls without a function in the C
 * library.
 */
final class ProcessCalls {
    /** On x86-64 only, like all borrowing of threads. */
    static final long TGKILL = 234;

    static final long PIDFD_OPEN = 434;
    static final long PIDFD_GETFD = 438;
    static final long PIDFD_SEND_SIGNAL = 424;

    static {
        CLibrary.bind(ProcessCalls.class);
    }

    private ProcessCalls() {}

    static native long ptrace(long request, int thread, long address, long data);

    static native int waitpid(int thread, long status, int options);

    static native long syscall(long number, long first, long second, long third);

    static native long syscall(long number, long first, long second, long third, long fourth);

    static native int kill(int process, int signal);

    static native int posix_spawn(
            long number, long path, long actions, long attributes, long arguments, long environment);

    static native int posix_spawn_file_actions_init(long actions);

    static native int posix_spawn_file_actions_destroy(long actions);

    static native int posix_spawn_file_actions_adddup2(long actions, int fd, int number);

    static native int posix_spawn_file_actions_addopen(long actions, int number, long path, int flags, int mode);

    static native int open(long path, int flags, int mode);

    static native int ioctl(int fd, long request, long argument);

    static native int close(int fd);

    static int errno() {
        return Native.getLastError();
    }
}
