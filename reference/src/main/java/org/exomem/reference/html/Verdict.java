package org.exomem.reference.html;

import java.util.Locale;

/** The result of a check, as the conformance runner's report names it. A later value outweighs an earlier one. */
public enum Verdict {
    /** The subject does not offer what the check needs. */
    SKIP("–"),
    /** The subject closed the connection where that is an acceptable way to refuse. */
    REFUSED("⊘"),
    PASS("✓"),
    /** The check could not run. */
    ERROR("!"),
    /** An expected message or notification did not come in time. */
    HANG("…"),
    FAIL("✗");

    private final String sign;

    Verdict(String sign) {
        this.sign = sign;
    }

    /** Whether the verdict needs attention. */
    boolean isWrong() {
        return this == ERROR || this == HANG || this == FAIL;
    }

    /** The word in lower case. */
    String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Sign and word: a label that does not depend on its colour. */
    String label() {
        return "<span class=\"verdict " + word() + "\"><span aria-hidden=\"true\">" + sign + "</span> " + word()
                + "</span>";
    }
}
