package org.exomem.backend.config;

import java.util.Locale;

/** What becomes of a guest that writes to unplugged memory which is guarded. */
public enum Prevention {
    /** It gets a page of zeros, which is taken back at once. */
    ZERO,
    /** It waits, and the VMM is asked to stop it. */
    STOP;

    /** As it is written in options and events. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    static Prevention parse(String text) throws ConfigException {
        for (Prevention prevention : values()) {
            if (prevention.word().equals(text)) {
                return prevention;
            }
        }
        throw new ConfigException("\"" + text + "\" is none of zero, stop");
    }
}
