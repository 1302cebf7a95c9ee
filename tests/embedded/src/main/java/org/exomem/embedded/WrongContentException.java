package org.exomem.embedded;

/** The content of a page of the guest differs from what the guest's program wrote into it. */
final class WrongContentException extends Exception {
    private static final long serialVersionUID = 1L;

    WrongContentException(String message) {
        super(message);
    }
}
