package org.exomem.backend.config;

import java.util.Locale;

/** How an operator wants migrations to learn which pages the guest writes. */
public enum WritesChoice {
    /** From the VMM's log if it keeps one, else by watching its memory, else by comparing. */
    AUTO,
    /** By watching the VMM's memory; a migration fails where that can't be done. */
    WATCH,
    /** By comparing all of memory in each round; no process is attached to. */
    COMPARE;

    /** As it is written in options and on the wire. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** @throws ConfigException if it is none of these */
    public static WritesChoice parse(String text) throws ConfigException {
        for (WritesChoice choice : values()) {
            if (choice.word().equals(text)) {
                return choice;
            }
        }
        throw new ConfigException("\"" + text + "\" is none of auto, watch, compare");
    }
}
