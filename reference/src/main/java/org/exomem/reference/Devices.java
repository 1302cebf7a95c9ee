package org.exomem.reference;

/** The devices that a requirement is about. The text is that of the catalogue. */
public enum Devices {
    /** Every device of any type. */
    ANY("any"),
    BALLOON("balloon"),
    MEM("mem");

    private final String text;

    Devices(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
