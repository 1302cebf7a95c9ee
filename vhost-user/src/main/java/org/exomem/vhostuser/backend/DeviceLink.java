package org.exomem.vhostuser.backend;

import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.Virtqueue;

/** A device's way to the front-end it is connected to. Used on the event loop of the device's VM only. */
public interface DeviceLink {
    /** The guest's memory as this front-end shares it now. */
    GuestMemory memory();

    /**
     * Tells the driver that the config space has changed. While no queue is started, or one that is started is disabled,
     * nothing is sent (VHU-CFG-4); it is then sent once, when the queues run.
     */
    void configChanged();

    /**
     * True if the device may push into the queue now, outside of {@link VhostUserDevice#process}: it is started and
     * enabled, in guest memory, and its driver has kept to the rules. When that changes, the queue is processed.
     */
    boolean mayPush(Virtqueue queue);

    /** Calls the driver, if it wants to be called, for chains pushed outside of {@link VhostUserDevice#process}. */
    void callIfWanted(Virtqueue queue);

    /**
     * Something of the host failed on the device's behalf: told to the operator, the device goes on.
     *
     * @param what what failed, to what, and what follows
     */
    void hostFault(String what);
}
