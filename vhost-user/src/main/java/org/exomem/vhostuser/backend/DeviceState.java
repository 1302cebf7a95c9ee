package org.exomem.vhostuser.backend;

import java.lang.foreign.MemorySegment;

/**
 * How a device's state moves to another host with its VM (vhost-user, "Migrating back-end state"). Both methods are called
 * on the event loop of the device's VM while no queue is started. What is around the bytes, checksum and version, is the
 * session's ({@link StateImage}).
 */
public interface DeviceState {
    /** The most bytes that a state of this device can have. */
    long maxBytes();

    /**
     * The state as it is now; the device may go on, and the bytes don't change then.
     *
     * @throws DeviceStateException if there is no way to hand it over
     */
    MemorySegment save() throws DeviceStateException;

    /**
     * Takes the state of another device's {@link #save} in place of its own: the driver goes on here.
     *
     * @param state foreign bytes, whole by their checksum, and not to be trusted for that
     * @throws DeviceStateException if it can't be this device's; nothing has changed
     */
    void load(MemorySegment state) throws DeviceStateException;
}
