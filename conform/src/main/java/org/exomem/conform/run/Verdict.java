package org.exomem.conform.run;

/** What came out of a check. */
public enum Verdict {
    /** The requirement was kept. */
    PASS,
    /** The back-end closed the connection where that is an acceptable way to refuse. */
    REFUSED,
    /** The back-end does not offer what the check needs. */
    SKIP,
    /** The requirement was not kept. */
    FAIL,
    /** Something that had to come did not come in time. */
    HANG,
    /** The check could not be made: no connection, or a fault of the runner itself. */
    ERROR;

    /** True unless somebody has to look at it. */
    public boolean isGood() {
        return this == PASS || this == REFUSED || this == SKIP;
    }
}
