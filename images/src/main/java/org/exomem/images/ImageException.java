package org.exomem.images;

import java.io.IOException;

/** An image or a RAM file can't be used. The message says what is wrong with it, and the remedy. */
public final class ImageException extends IOException {
    private static final long serialVersionUID = 1L;

    /** The kinds of faults. */
    public enum Fault {
        /** There is no image: no folder, or one without a manifest. */
        NO_IMAGE,
        /** There is something else: a manifest of another program, or another kind of file. */
        FOREIGN,
        /** A newer exomem made the image. */
        NEWER,
        /** The manifest is inconsistent, or has a value that no image can have. */
        INVALID,
        /** A file of the image is missing. */
        MISSING,
        /** A file of the image has another size. */
        SIZE,
        /** The content of a file has changed. */
        CHANGED,
        /** The image was not signed with this key, or the signature is missing. */
        SIGNATURE,
        /** The files are not the requested ones: another size, another name, or one file more. */
        MISMATCH,
        /** There is something already that would be overwritten. */
        EXISTS,
        /** The file system is full. */
        NO_ROOM
    }

    private final Fault fault;

    /** @param message what is wrong with which file, and the remedy */
    public ImageException(Fault fault, String message) {
        super(message);
        this.fault = fault;
    }

    /**
     * @param message what is wrong with which file, and the remedy
     * @param cause the reason
     */
    public ImageException(Fault fault, String message, Throwable cause) {
        super(message, cause);
        this.fault = fault;
    }

    /** The kind of the fault. */
    public Fault fault() {
        return fault;
    }
}
