package org.exomem.vmm;

import java.io.IOException;

/** A QMP server answered a command with an error. */
public final class QmpException extends IOException {

    private static final long serialVersionUID = 1L;

    private final String errorClass;

    QmpException(String command, String errorClass, String description) {
        super(command + ": " + description + " (" + errorClass + ")");
        this.errorClass = errorClass;
    }

    /** Returns the class of the error, such as {@code GenericError}. */
    public String errorClass() {
        return errorClass;
    }
}
