package org.exomem.backend.qmp;

import java.io.IOException;
import java.net.SocketTimeoutException;

/** A VMM could not be asked, or did not do what it was asked to; says what, and why. */
public final class VmmException extends IOException {
    private static final long serialVersionUID = 1L;

    public VmmException(String message) {
        super(message);
    }

    public VmmException(String message, Throwable cause) {
        super(message, cause);
    }

    /** True if the VMM said no, and did nothing; false if it may have done what it was asked to, or do it later. */
    public boolean isRefusal() {
        return getCause() instanceof QmpException;
    }

    /** True if the connection to the VMM is over, mostly as the VMM is. */
    public boolean isEnd() {
        return getCause() instanceof IOException && !(getCause() instanceof SocketTimeoutException);
    }
}
