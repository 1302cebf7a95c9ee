package org.exomem.reference;

/** Whom a requirement binds. The text is that of the catalogue. */
public enum Party {
    DEVICE("device"),
    DRIVER("driver"),
    BACK_END("back-end"),
    FRONT_END("front-end"),
    /** The program itself, where it is no side of a protocol: its files, and what it does with a VMM. */
    EXOMEM("exomem"),
    VMM("VMM"),
    /** Of a migration: the side that the guest leaves. */
    SOURCE("source"),
    /** Of a migration: the side to which the guest comes. */
    DESTINATION("destination"),
    SOURCE_AND_DESTINATION("source and destination"),
    /** Of the control socket: what serves it. */
    SERVER("server"),
    /** Of the control socket: what connects to it. */
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
