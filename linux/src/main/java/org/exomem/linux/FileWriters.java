package org.exomem.linux;

/** Whether anybody has a file open for writing, or mapped so that it can be written: of all processes of the host, without looking at any. */
public final class FileWriters {
    private static final int F_SETSIG = 10;
    private static final int F_SETLEASE = 1024;
    private static final int F_RDLCK = 0;
    private static final int F_UNLCK = 2;
    /** Nothing happens to a process that gets it and does not ask for it. */
    private static final int SIGURG = 23;

    private FileWriters() {}

    /**
     * Asks the kernel for a read lease, which it gives only where there is no writer, and gives it back at once.
     *
     * @param file opened for reading only
     * @return false also where that can't be told: of another user's file without CAP_LEASE, or on a file system without leases
     */
    public static boolean any(Fd file) {
        // Whoever opens it for writing just now waits until the lease is given back, and this process is told by a
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
