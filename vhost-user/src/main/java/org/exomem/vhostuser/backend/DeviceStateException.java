package org.exomem.vhostuser.backend;

/** A device's state can't be saved, or a received one can't be loaded. The message says why. */
public final class DeviceStateException extends Exception {
    private static final long serialVersionUID = 1L;

    /** @param message what is wrong with the state, for the operator */
    public DeviceStateException(String message) {
        super(message);
    }

    /**
     * Refuses a state of another device.
     *
     * @param field that differs
     * @param expected this device's value
     * @param found the state's value
     */
    public static void requireSame(String field, Object expected, Object found) throws DeviceStateException {
        if (!expected.equals(found)) {
            throw new DeviceStateException("its field \"" + field + "\" has " + found + ", but this device has "
                    + expected + "; source and destination must have the same configuration");
        }
    }
}
