package org.exomem.vhostuser.backend;

/** A device's state can't be handed over, or what came as one can't be taken; the message says why. */
public final class DeviceStateException extends Exception {
    private static final long serialVersionUID = 1L;

    /** @param message what is wrong with the state, for the operator */
    public DeviceStateException(String message) {
        super(message);
    }

    /**
     * Refuses a state that was not made for this device.
     *
     * @param field what differs
     * @param expected what this device has
     * @param found what the state has
     */
    public static void requireSame(String field, Object expected, Object found) throws DeviceStateException {
        if (!expected.equals(found)) {
            throw new DeviceStateException("its field \"" + field + "\" has " + found + ", this device has " + expected
                    + "; source and destination must be configured alike");
        }
    }
}
