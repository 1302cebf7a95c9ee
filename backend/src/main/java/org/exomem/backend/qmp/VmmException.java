package org.exomem.backend.qmp;

import java.io.IOException;
import java.net.SocketTimeoutException;

/** A request to a VMM failed. The message says which, and why. */
public final class VmmException extends IOException {
    private static final long serialVersionUID = 1L;

    public VmmException(String message) {
        super(message);
    }

    public VmmException(String message, Throwable cause) {
        super(message, cause);
    }

    /** True if the VMM refused and did nothing; false if it may have executed the request, or may do so later. */
    public boolean isRefusal() {
        return getCause() instanceof QmpException;
    }

    /** True if the connection to the VMM has ended, usually because the VMM has. */
    public boolean isEnd() {
        return getCause() instanceof IOException && !(getCause() instanceof SocketTimeoutException);
    }
}
