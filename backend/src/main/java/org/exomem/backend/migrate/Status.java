package org.exomem.backend.migrate;

import java.util.Locale;

/** How far a migration is, in QEMU's words. */
public enum Status {
    /** The destination waits for a source; the source connects. */
    SETUP,
    /** Memory travels. */
    ACTIVE,
    /**
     * The connection was lost, and is made again, or waited for; it goes on from there. QEMU has no word for it: its
     * postcopy-paused is a guest that can't run.
     */
    RECONNECTING,
    /** The guest is paused; the states of devices travel. */
    DEVICE,
    /** The guest runs at the destination, and pages are owed to it. */
    POSTCOPY_ACTIVE,
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
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
