package org.exomem.conform.explore;

/**
 * A failure of a back-end.
 *
 * @param kind two scripts with the same kind count as the same finding: "crash", "hang", "no session"
 * @param message what happened, in a sentence
 */
public record Finding(String kind, String message) {
    /** The process ended because of its own fault. */
    static final String CRASH = "crash";
    /** The back-end does not answer any more. */
    static final String HANG = "hang";
    /** The back-end does not serve the next session. */
    static final String NO_SESSION = "no session";
    /** The back-end sent something that is not a message of the protocol. */
    static final String WRONG_ANSWER = "wrong answer";
}
