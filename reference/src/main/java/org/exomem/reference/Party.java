package org.exomem.reference;

/** Whom a requirement binds. The text is that of the catalogue. */
public enum Party {
    DEVICE("device"),
    DRIVER("driver"),
    BACK_END("back-end"),
    FRONT_END("front-end");

    private final String text;

    Party(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
