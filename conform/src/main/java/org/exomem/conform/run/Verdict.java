package org.exomem.conform.run;

/** The result of a check. */
public enum Verdict {
    /** The back-end met the requirement. */
    PASS,
    /** The back-end closed the connection where that is an acceptable way to refuse. */
    REFUSED,
    /** The back-end does not offer what the check needs. */
    SKIP,
    /** The back-end did not meet the requirement. */
    FAIL,
    /** An expected message or notification did not come in time. */
    HANG,
    /** The check could not run: no connection, or a fault of the runner itself. */
    ERROR;

    /** True unless the verdict needs attention. */
    public boolean isGood() {
        return this == PASS || this == REFUSED || this == SKIP;
    }
}
