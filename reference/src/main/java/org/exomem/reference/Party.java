package org.exomem.reference;

/** The party that a requirement binds. The text is that of the catalogue. */
public enum Party {
    DEVICE("device"),
    DRIVER("driver"),
    BACK_END("back-end"),
    FRONT_END("front-end"),
    /** The program itself, where it is not a side of a protocol: its files, and its use of a VMM. */
    EXOMEM("exomem"),
    VMM("VMM"),
    /** The side of a migration that the guest leaves. */
    SOURCE("source"),
    /** The side of a migration to which the guest moves. */
    DESTINATION("destination"),
    SOURCE_AND_DESTINATION("source and destination"),
    /** The side of the control socket that serves it. */
    SERVER("server"),
    /** The side of the control socket that connects to it. */
    CLIENT("client");

    private final String text;

    Party(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
