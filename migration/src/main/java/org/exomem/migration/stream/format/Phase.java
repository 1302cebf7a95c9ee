package org.exomem.migration.stream.format;

import org.exomem.migration.StreamFault;

/** The progress of a destination when it accepts a source: the count of an ACCEPTED chunk (STR-RES-3). */
public enum Phase {
    /** It accepts pages and device states. */
    RECEIVING(0),
    /** It has everything, and is ready to start the guest. */
    READY(1),
    /** It was told to start the guest. */
    RUNNING(2);

    private final long number;

    Phase(long number) {
        this.number = number;
    }

    /** The number on the wire. */
    public long number() {
        return number;
    }

    /**
     * Returns the phase with a number.
     *
     * @throws StreamFault if there is none
     */
    public static Phase of(long number) throws StreamFault {
        for (Phase phase : values()) {
            if (phase.number == number) {
                return phase;
            }
        }
        throw new StreamFault("the destination reports phase " + Long.toUnsignedString(number) + "; must be 0 to "
                + (values().length - 1));
    }
}
