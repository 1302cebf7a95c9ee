package org.exomem.backend.qmp;

/** A command was refused. Sent as {@code {"error": {"class": …, "desc": …}}}. */
public final class QmpException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String errorClass;

    public QmpException(String errorClass, String description) {
        super(description);
        this.errorClass = errorClass;
    }

    public static QmpException generic(String description) {
        return new QmpException("GenericError", description);
    }

    public static QmpException commandNotFound(String description) {
        return new QmpException("CommandNotFound", description);
    }

    public static QmpException deviceNotFound(String description) {
        return new QmpException("DeviceNotFound", description);
    }

    public static QmpException deviceNotActive(String description) {
        return new QmpException("DeviceNotActive", description);
    }

    /** One of QMP's classes: GenericError, CommandNotFound, DeviceNotActive, DeviceNotFound. */
    public String errorClass() {
        return errorClass;
    }
}
