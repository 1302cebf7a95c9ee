package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;

/**
 * The parameters of SET_DEVICE_STATE_FD (vhost-user, "Device state transfer parameters"; VHU-PAY-9).
 *
 * <pre>
 * 0 transfer direction   u32   0: save, back-end to front-end; 1: load
 * 4 migration phase      u32   0: stopped
 * </pre>
 */
public record TransferDescription(Direction direction) {
    static final int SIZE = 8;

    /** The direction of the state. */
    public enum Direction {
        SAVE,
        LOAD
    }

    static TransferDescription decode(MemorySegment payload) {
        int direction = payload.get(JAVA_INT, 0);
        int phase = payload.get(JAVA_INT, 4);
        if (direction != 0 && direction != 1) {
            throw new FrontEndFault("SET_DEVICE_STATE_FD has transfer direction " + Integer.toUnsignedString(direction)
                    + "; must be 0 (save) or 1 (load)");
        }
        if (phase != 0) {
            throw new FrontEndFault("SET_DEVICE_STATE_FD has migration phase " + Integer.toUnsignedString(phase)
                    + "; must be 0 (stopped)");
        }
        return new TransferDescription(Direction.values()[direction]);
    }
}
