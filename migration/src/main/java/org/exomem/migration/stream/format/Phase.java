package org.exomem.migration.stream.format;

import org.exomem.migration.StreamFault;

/** How far a destination is when it accepts a source: the count of an ACCEPTED chunk (STR-RES-3). */
public enum Phase {
    /** It takes pages and device states. */
    RECEIVING(0),
    /** It has everything, and could start the guest at once. */
    READY(1),
    /** It was told to start the guest. */
    RUNNING(2);

    private final long number;

    Phase(long number) {
        this.number = number;
    }

    /** Its number on the wire. */
    public long number() {
        return number;
    }

    /**
     * The phase with that number.
     *
     * @throws StreamFault if there is none
     */
    public static Phase of(long number) throws StreamFault {
        for (Phase phase : values()) {
            if (phase.number == number) {
                return phase;
            }
        }
        throw new StreamFault("the destination says that it is in phase " + Long.toUnsignedString(number)
                + "; there are 0 to " + (values().length - 1));
    }
}
