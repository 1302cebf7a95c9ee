package org.exomem.backend.config;

import java.util.Locale;

/** How migrations find the pages that the guest does not need, as configured by the operator. */
public enum HintsChoice {
    /** From a bitmap if the guest's driver supports it, otherwise from hints if they are worth it. */
    AUTO,
    /** From a bitmap, if the guest's driver supports it. */
    BITMAP,
    /** From free page hinting, if it is worth it. */
    HINT,
    /** The guest is not asked. */
    NONE;

    /** The word in options and on the control socket. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
