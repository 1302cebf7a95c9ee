package org.exomem.embedded;

/** A page of the guest does not hold what the guest's program wrote into it. */
final class WrongContentException extends Exception {
    private static final long serialVersionUID = 1L;

    WrongContentException(String message) {
        super(message);
    }
}
