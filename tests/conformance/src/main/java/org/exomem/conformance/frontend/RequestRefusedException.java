package org.exomem.conformance.frontend;

import java.io.IOException;

/** The back-end replied with an error: a number other than zero, or an empty reply where content was expected. */
public final class RequestRefusedException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int request;

    public RequestRefusedException(int request, String how) {
        super("the back-end refused request " + request + ": " + how);
        this.request = request;
    }

    /** The number of the request, one of {@link Request}. */
    public int request() {
        return request;
    }
}
