package org.exomem.backend.migrate;

import java.util.Locale;

/** The progress of a migration, in QEMU's words. */
public enum Status {
    /** The destination waits for a source; the source connects to the destination. */
    SETUP,
    /** Memory is being sent. */
    ACTIVE,
    /**
     * The connection was lost. The source connects again, or the destination waits for it, and the migration goes on where
     * it was. QEMU has no word for this: its postcopy-paused is a guest that can't run.
     */
    RECONNECTING,
    /** The guest is paused, and the states of devices are being sent. */
    DEVICE,
    /** The guest runs at the destination, while the source still owes pages to it. */
    POSTCOPY_ACTIVE,
    /** The guest runs at the destination. */
    COMPLETED,
    FAILED,
    CANCELLED;

    /** True if the status does not change any more. */
    public boolean isOver() {
        return this == COMPLETED || this == FAILED || this == CANCELLED;
    }

    /** The name on the control socket, in small letters. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
