package org.exomem.conform.explore;

/**
 * What a back-end did not survive.
 *
 * @param kind by which two scripts count as the same finding: "crash", "hang", "no session"
 * @param message what happened, in a sentence
 */
public record Finding(String kind, String message) {
    /** The process was ended by a fault of its own. */
    static final String CRASH = "crash";
    /** It answers nothing any more. */
    static final String HANG = "hang";
    /** The next session is not served. */
    static final String NO_SESSION = "no session";
    /** What came from it is no message of the protocol. */
    static final String WRONG_ANSWER = "wrong answer";
}
