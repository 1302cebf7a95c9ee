package org.exomem.vhostuser.backend;

import java.lang.foreign.MemorySegment;

/**
 * Saves and loads a device's state when its VM moves to another host (vhost-user, "Migrating back-end state"). Both methods
 * are called on the VM's event loop while no queue is started. The session adds the checksum and version ({@link
 * StateImage}).
 */
public interface DeviceState {
    /** The largest state of this device in bytes. */
    long maxBytes();

    /**
     * Returns the present state. The device may go on, and the bytes do not change then.
     *
     * @throws DeviceStateException if it can't be saved
     */
    MemorySegment save() throws DeviceStateException;

    /**
     * Replaces the state by that of another device's {@link #save}: the driver goes on here.
     *
     * @param state complete by its checksum, but still untrusted
     * @throws DeviceStateException if it can't be this device's; nothing has changed then
     */
    void load(MemorySegment state) throws DeviceStateException;
}
