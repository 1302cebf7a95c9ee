package org.exomem.backend.config;

import java.util.Locale;

/** How migrations find the pages that the guest writes, as configured by the operator. */
public enum WritesChoice {
    /** From the VMM's log if it has one, otherwise by watching its memory, otherwise by comparing. */
    AUTO,
    /** By watching the VMM's memory; a migration fails if that is not possible. */
    WATCH,
    /** By comparing all of memory in each round; exomem attaches to no process. */
    COMPARE;

    /** The word in options and on the control socket. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** @throws ConfigException if the text is no such word */
    public static WritesChoice parse(String text) throws ConfigException {
        for (WritesChoice choice : values()) {
            if (choice.word().equals(text)) {
                return choice;
            }
        }
        throw new ConfigException("\"" + text + "\" is none of auto, watch, compare");
    }
}
