package org.exomem.linux;

import java.io.IOException;

/** A system call failed: which, on what, and why. */
public final class LinuxException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String message;
    private final int errno;

    /**
     * @param call the system call, and what it was to do where the name does not tell
     * @param subject what it was done to: a path, a descriptor
     * @param errno the error number
     */
    public LinuxException(String call, String subject, int errno) {
        this.message = call + " of " + subject + " failed: " + Errno.describe(errno);
        this.errno = errno;
    }

    /**
     * With an explanation beside the error number.
     *
     * @param advice what is the matter and what to do about it
     */
    public LinuxException(String call, String subject, int errno, String advice) {
        this.message = call + " of " + subject + " failed: " + Errno.describe(errno) + "; " + advice;
        this.errno = errno;
    }

    @Override
    public String getMessage() {
        return message;
    }

    /** The error number, one of {@link Errno} where exomem knows it. */
    public int errno() {
        return errno;
    }
}
