package org.exomem.backend.migrate;

import java.util.Locale;

/** How far a migration is, in QEMU's words. */
public enum Status {
    /** The destination waits for a source; the source connects. */
    SETUP,
    /** Memory travels. */
    ACTIVE,
    /** The guest is paused; the states of devices travel. */
    DEVICE,
    /** The guest runs at the destination. */
    COMPLETED,
    FAILED,
    CANCELLED;

    /** True if nothing changes any more. */
    public boolean isOver() {
        return this == COMPLETED || this == FAILED || this == CANCELLED;
    }

    /** As it is written on the wire. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
