package org.exomem.reference.html;

import java.util.Locale;

/** What came out of a check, as the conformance runner's report names it. A later one outweighs an earlier one. */
public enum Verdict {
    /** The subject does not offer what the check needs. */
    SKIP("–"),
    /** The subject closed the connection where that is an acceptable way to refuse. */
    REFUSED("⊘"),
    PASS("✓"),
    /** The check could not be made. */
    ERROR("!"),
    /** Something that had to come did not come in time. */
    HANG("…"),
    FAIL("✗");

    private final String sign;

    Verdict(String sign) {
        this.sign = sign;
    }

    /** Whether somebody has to look at it. */
    boolean isWrong() {
        return this == ERROR || this == HANG || this == FAIL;
    }

    /** The word in small letters. */
    String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Sign and word, as a label that does not rest on its colour. */
    String label() {
        return "<span class=\"verdict " + word() + "\"><span aria-hidden=\"true\">" + sign + "</span> " + word()
                + "</span>";
    }
}
