package org.exomem.conform.trial;

import java.io.EOFException;
import java.io.IOException;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;

/** Recognises the end of a connection. */
public final class Closing {
    private Closing() {}

    /** True if this exception means that the other side has closed the connection. */
    public static boolean is(IOException e) {
        return e instanceof EOFException
                || e instanceof LinuxException linux
                        && (linux.errno() == Errno.ECONNRESET || linux.errno() == Errno.EPIPE);
    }
}
