package org.exomem.linux;

/**
 * Checks whether any process of the host has a file open for writing, or mapped writable, without examining the processes.
 */
public final class FileWriters {
    private static final int F_SETSIG = 10;
    private static final int F_SETLEASE = 1024;
    private static final int F_RDLCK = 0;
    private static final int F_UNLCK = 2;
    /** A signal that is ignored by default. */
    private static final int SIGURG = 23;

    private FileWriters() {}

    /**
     * Requests a read lease from the kernel, which grants it only if there is no writer, and releases it at once.
     *
     * @param file opened for reading only
     * @return false also if that is unknown: for another user's file without CAP_LEASE, or on a file system without leases
     */
    public static boolean any(Fd file) {
        // A process that opens the file for writing now waits until the lease is released, and this process gets a
        // signal.
        if (LibC.fcntl(file.number(), F_SETSIG, SIGURG) < 0) {
            return false;
        }
        if (LibC.fcntl(file.number(), F_SETLEASE, F_RDLCK) < 0) {
            return LibC.errno() == Errno.EAGAIN;
        }
        LibC.fcntl(file.number(), F_SETLEASE, F_UNLCK);
        return false;
    }
}
