package org.exomem.linux;

import java.util.Map;

/** The error numbers that exomem distinguishes. They are the same on x86-64 and aarch64. */
public final class Errno {
    public static final int EPERM = 1;
    public static final int ENOENT = 2;
    public static final int EINTR = 4;
    public static final int EBADF = 9;
    public static final int EAGAIN = 11;
    public static final int ENOMEM = 12;
    public static final int EACCES = 13;
    public static final int EFAULT = 14;
    public static final int EBUSY = 16;
    public static final int EEXIST = 17;
    public static final int ESRCH = 3;
    public static final int ENODEV = 19;
    public static final int EXDEV = 18;
    public static final int EINVAL = 22;
    public static final int ENOTTY = 25;
    public static final int ENFILE = 23;
    public static final int EMFILE = 24;
    public static final int ENOSPC = 28;
    public static final int EPIPE = 32;
    public static final int ENAMETOOLONG = 36;
    public static final int ENOSYS = 38;
    public static final int ENOTSOCK = 88;
    public static final int EAFNOSUPPORT = 97;
    public static final int EADDRINUSE = 98;
    public static final int EOPNOTSUPP = 95;
    public static final int ECONNRESET = 104;
    public static final int ECONNREFUSED = 111;

    private static final Map<Integer, String> TEXTS = Map.ofEntries(
            Map.entry(EPERM, "EPERM, operation not permitted"),
            Map.entry(ENOENT, "ENOENT, no such file or directory"),
            Map.entry(ESRCH, "ESRCH, no such process"),
            Map.entry(EINTR, "EINTR, interrupted"),
            Map.entry(EBADF, "EBADF, bad file descriptor"),
            Map.entry(EAGAIN, "EAGAIN, would block"),
            Map.entry(ENOMEM, "ENOMEM, out of memory"),
            Map.entry(EACCES, "EACCES, permission denied"),
            Map.entry(EFAULT, "EFAULT, bad address"),
            Map.entry(EBUSY, "EBUSY, in use by another process"),
            Map.entry(EEXIST, "EEXIST, already exists"),
            Map.entry(ENODEV, "ENODEV, file can't be mapped"),
            Map.entry(EINVAL, "EINVAL, invalid argument"),
            Map.entry(ENFILE, "ENFILE, too many open files on this host"),
            Map.entry(EMFILE, "EMFILE, too many open files"),
            Map.entry(ENOSPC, "ENOSPC, no space left"),
            Map.entry(EPIPE, "EPIPE, the peer has closed the connection"),
            Map.entry(ENAMETOOLONG, "ENAMETOOLONG, name too long"),
            Map.entry(ENOTSOCK, "ENOTSOCK, not a socket"),
            Map.entry(EADDRINUSE, "EADDRINUSE, address already in use"),
            Map.entry(EOPNOTSUPP, "EOPNOTSUPP, operation not supported"),
            Map.entry(ECONNRESET, "ECONNRESET, connection reset by the peer"),
            Map.entry(ECONNREFUSED, "ECONNREFUSED, no process listens"));

    private Errno() {}

    /** The name and meaning of an error number, or the number alone if exomem has no text for it. */
    public static String describe(int errno) {
        return TEXTS.getOrDefault(errno, "errno " + errno);
    }
}
