package org.exomem.reference;

/** How much a requirement binds, as RFC 2119 defines it. The text is that of the catalogue. */
public enum Strength {
    MUST("MUST"),
    MUST_NOT("MUST NOT"),
    SHOULD("SHOULD"),
    SHOULD_NOT("SHOULD NOT"),
    MAY("MAY");

    private final String text;

    Strength(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
