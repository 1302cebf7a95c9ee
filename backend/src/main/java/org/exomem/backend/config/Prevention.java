package org.exomem.backend.config;

import java.util.Locale;

/** The action on a guest that writes to guarded unplugged memory. */
public enum Prevention {
    /** The guest gets a page of zeros, which is taken back at once. */
    ZERO,
    /** The write waits, and the VMM is asked to stop the guest. */
    STOP;

    /** The word in options and events. */
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
