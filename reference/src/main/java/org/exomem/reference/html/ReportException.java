package org.exomem.reference.html;

/** A file is not a report of the conformance runner. The message names the file. */
public final class ReportException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ReportException(String message, Exception cause) {
        super(message, cause);
    }
}
