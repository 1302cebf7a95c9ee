package org.exomem.backend.config;

import java.util.Locale;

/** How an operator wants migrations to learn which pages the guest does not need. */
public enum HintsChoice {
    /** By a bitmap if the guest's driver gives one, else by hints if they are worth it. */
    AUTO,
    /** By a bitmap, if the guest's driver gives one. */
    BITMAP,
    /** By free page hinting, if it is worth it. */
    HINT,
    /** The guest is not asked. */
    NONE;

    /** As it is written in options and on the wire. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
