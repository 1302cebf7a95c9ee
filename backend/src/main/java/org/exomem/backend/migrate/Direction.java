package org.exomem.backend.migrate;

import java.util.Locale;

/** What becomes of a guest. */
public enum Direction {
    /** It comes from another host. */
    INCOMING,
    /** It goes to another host. */
    OUTGOING,
    /** A copy of it goes into an image. */
    SAVE,
    /** It goes to another VMM on this host. */
    UPDATE;

    /** As it is written on the wire. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
