package org.exomem.conform.trial;

import java.io.EOFException;
import java.io.IOException;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;

/** How the end of a connection shows. */
public final class Closing {
    private Closing() {}

    /** True if that is how a connection looks that the other side has closed. */
    public static boolean is(IOException e) {
        return e instanceof EOFException
                || e instanceof LinuxException linux
                        && (linux.errno() == Errno.ECONNRESET || linux.errno() == Errno.EPIPE);
    }
}
