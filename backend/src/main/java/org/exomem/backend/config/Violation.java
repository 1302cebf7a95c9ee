package org.exomem.backend.config;

import java.util.Locale;

/** The action on a guest that uses memory which it gave up. */
public enum Violation {
    /** Only report it. */
    REPORT,
    /** Report it, and take the memory back. */
    PUNCH,
    /** As {@link #PUNCH}, and ask the VMM to stop the guest. */
    STOP,
    /** Guard the memory in the VMM. If that is not possible, take it back. */
    PREVENT;

    /** The word in options and events. */
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
