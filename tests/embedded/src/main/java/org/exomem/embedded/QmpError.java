package org.exomem.embedded;

/** A command is refused. */
final class QmpError extends Exception {
    private static final long serialVersionUID = 1L;

    private final String kind;

    /** @param kind the error's class, as QEMU names it */
    QmpError(String kind, String message) {
        super(message);
        this.kind = kind;
    }

    static QmpError general(String message) {
        return new QmpError("GenericError", message);
    }

    String kind() {
        return kind;
    }
}
