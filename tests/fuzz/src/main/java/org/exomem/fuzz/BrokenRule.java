package org.exomem.fuzz;

/** A property does not hold. If a harness throws it, the fuzzer reports it as a finding. */
final class BrokenRule extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BrokenRule(String message) {
        super(message);
    }

    BrokenRule(String message, Throwable cause) {
        super(message, cause);
    }

    /** Requires a condition. The caller always evaluates the message, so it should be a constant. */
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
