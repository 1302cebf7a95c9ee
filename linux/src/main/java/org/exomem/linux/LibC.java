package org.exomem.linux;

import com.sun.jna.Native;

/**
 * The native declarations, direct-mapped: pointers and sizes are {@code long}, results are those of the C function. Texts
 * are addresses of UTF-8 bytes ({@link NativeBuffer#ofUtf8}), independent of the locale. Variadic functions are declared
 * with the arguments that are used here, which the x86-64 and aarch64 calling conventions pass in the same way.
 */
final class LibC {
    static {
        CLibrary.bind(LibC.class);
    }

    private LibC() {}

    static native int close(int fd);

    static native int fcntl(int fd, int command, long argument);

    static native int ioctl(int fd, long request, long argument);

    static native int eventfd(int initial, int flags);

    static native int pipe2(long pair, int flags);

    static native long read(int fd, long buffer, long size);

    static native long write(int fd, long buffer, long size);

    static native long pread(int fd, long buffer, long size, long offset);

    static native long pwrite(int fd, long buffer, long size, long offset);

    static native int fsync(int fd);

    static native int open(long path, int flags, int mode);

    static native int unlink(long path);

    static native int memfd_create(long name, int flags);

    static native int ftruncate(int fd, long size);

    static native int fallocate(int fd, int mode, long offset, long length);

    static native long lseek(int fd, long offset, int whence);

    static native int statx(int directory, long path, int flags, int mask, long buffer);

    static native int fchmod(int fd, int mode);

    static native int fchmodat(int directory, long path, int mode, int flags);

    static native int fstatfs(int fd, long buffer);

    static native long copy_file_range(int from, long fromOffset, int to, long toOffset, long length, int flags);

    static native long mmap(long address, long length, int protection, int flags, int fd, long offset);

    static native int munmap(long address, long length);

    static native int mincore(long address, long length, long pages);

    static native int madvise(long address, long length, int advice);

    static native int socket(int domain, int type, int protocol);

    static native int socketpair(int domain, int type, int protocol, long pair);

    static native int bind(int fd, long address, int length);

    static native int listen(int fd, int backlog);

    static native int connect(int fd, long address, int length);

    static native int accept4(int fd, long address, long length, int flags);

    static native int getsockopt(int fd, int level, int option, long value, long length);

    static native long recvmsg(int fd, long message, int flags);

    static native long sendmsg(int fd, long message, int flags);

    static native int shutdown(int fd, int how);

    static native int poll(long fds, long count, int timeoutMillis);

    /** With PRIO_PROCESS and {@code who} 0, sets the nice value of the calling thread only. */
    static native int setpriority(int which, int who, int priority);

    /** The nice value of a thread; -1 for a missing thread, and also a possible value. */
    static native int getpriority(int which, int who);

    /** For system calls that have no function in the C library. */
    static native long syscall(long number, long first);

    /** The errno of this thread's last failed call. */
    static int errno() {
        return Native.getLastError();
    }
}
