package org.exomem.backend.migrate;

import java.util.Locale;

/** Where a guest goes. */
public enum Direction {
    /** The guest comes from another host. */
    INCOMING,
    /** The guest goes to another host. */
    OUTGOING,
    /** A copy of the guest goes into an image. */
    SAVE,
    /** The guest goes to another VMM on this host. */
    UPDATE;

    /** The name on the control socket, in small letters. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
