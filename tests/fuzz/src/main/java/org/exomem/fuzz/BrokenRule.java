package org.exomem.fuzz;

/** What a harness found: a property does not hold. Thrown out of the harness, it is a finding of the fuzzer. */
final class BrokenRule extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BrokenRule(String message) {
        super(message);
    }

    BrokenRule(String message, Throwable cause) {
        super(message, cause);
    }

    /** Requires that something holds. For messages that cost nothing to make. */
    static void unless(boolean holds, String otherwise) {
        if (!holds) {
            throw new BrokenRule(otherwise);
        }
    }

    /** Requires two numbers to be equal. */
    static void unlessEqual(long found, long expected, String what) {
        if (found != expected) {
            throw new BrokenRule(what + " is " + found + " and should be " + expected);
        }
    }
}
