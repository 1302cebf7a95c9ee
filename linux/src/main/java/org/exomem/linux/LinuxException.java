package org.exomem.linux;

import java.io.IOException;

/** A system call failed. The message says which, on what, and why. */
public final class LinuxException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String message;
    private final int errno;

    /**
     * @param call the system call, with its purpose if the name does not show it
     * @param subject the object of the call: a path, a descriptor
     * @param errno the error number
     */
    public LinuxException(String call, String subject, int errno) {
        this.message = call + " of " + subject + " failed: " + Errno.describe(errno);
        this.errno = errno;
    }

    /**
     * With an explanation after the error number.
     *
     * @param advice the problem and its remedy
     */
    public LinuxException(String call, String subject, int errno, String advice) {
        this.message = call + " of " + subject + " failed: " + Errno.describe(errno) + "; " + advice;
        this.errno = errno;
    }

    @Override
    public String getMessage() {
        return message;
    }

    /** The error number, one of {@link Errno} if exomem knows it. */
    public int errno() {
        return errno;
    }
}
