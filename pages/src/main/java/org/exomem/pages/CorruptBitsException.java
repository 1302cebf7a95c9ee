package org.exomem.pages;

/** Stored bits are not as they were left. */
public final class CorruptBitsException extends Exception {
    private static final long serialVersionUID = 1L;

    public CorruptBitsException(String message) {
        super(message);
    }
}
