package org.exomem.backend.config;

import java.util.Locale;

/** What to do about a guest that uses memory which it gave up. */
public enum Violation {
    /** Only tell. */
    REPORT,
    /** Tell, and take the memory away again. */
    PUNCH,
    /** That, and ask the VMM to stop the guest. */
    STOP,
    /** Keep it from getting any, in the VMM; take it away again where that can't be done. */
    PREVENT;

    /** As it is written in options and events. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    static Violation parse(String text) throws ConfigException {
        for (Violation violation : values()) {
            if (violation.word().equals(text)) {
                return violation;
            }
        }
        throw new ConfigException("\"" + text + "\" is none of report, punch, stop, prevent");
    }
}
