package org.exomem.images;

import java.io.IOException;

/** An image or a RAM file that can't be used: what is wrong with it, and what to do about it. */
public final class ImageException extends IOException {
    private static final long serialVersionUID = 1L;

    /** What is wrong. */
    public enum Fault {
        /** There is no image: no folder, or one without a manifest. */
        NO_IMAGE,
        /** Something else is there: no manifest of exomem, or no file of the kind that is expected. */
        FOREIGN,
        /** A newer exomem made it. */
        NEWER,
        /** The manifest contradicts itself, or has a value that no image can have. */
        INVALID,
        /** A file that belongs to it is missing. */
        MISSING,
        /** A file that belongs to it has another size. */
        SIZE,
        /** The content of a file has changed. */
        CHANGED,
        /** It was not signed with this key, or the signature is missing. */
        SIGNATURE,
        /** It is not what was asked for: another size, another name, one file more. */
        MISMATCH,
        /** Something is there already that would be overwritten. */
        EXISTS,
        /** The file system is full. */
        NO_ROOM
    }

    private final Fault fault;

    /** @param message what is wrong with which file, and what to do about it */
    public ImageException(Fault fault, String message) {
        super(message);
        this.fault = fault;
    }

    /** The same for a reason that another exception tells. */
    public ImageException(Fault fault, String message, Throwable cause) {
        super(message, cause);
        this.fault = fault;
    }

    /** What is wrong. */
    public Fault fault() {
        return fault;
    }
}
