package org.exomem.vhostuser.backend;

import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.Virtqueue;

/** A device's link to its connected front-end. Used on the VM's event loop only. */
public interface DeviceLink {
    /** The guest's memory as this front-end shares it now. */
    GuestMemory memory();

    /**
     * Notifies the driver of a change of the config space. Nothing is sent while no queue is started, or a started one is
     * disabled (VHU-CFG-4); it is then sent once, when the queues run.
     */
    void configChanged();

    /**
     * True if the device may push to the queue now, outside of {@link VhostUserDevice#process}: the queue is started and
     * enabled, in guest memory, and its driver has broken no rule. When that changes, the queue is processed.
     */
    boolean mayPush(Virtqueue queue);

    /** Sends the driver a call, if it wants one, for chains that were pushed outside of {@link VhostUserDevice#process}. */
    void callIfWanted(Virtqueue queue);

    /**
     * Requests another call of {@link VhostUserDevice#process} for the queue, after all other waiting events, even if
     * nothing is available: the device has a chain that it continues with. Call it from within {@code process}.
     */
    void processAgain(Virtqueue queue);

    /**
     * Runs a task on the event loop after all other waiting events: the next slice of work that is too long for one step of
     * the loop. The task is dropped if the front-end goes before.
     */
    void later(Runnable task);

    /**
     * Reports to the operator that the driver named something invalid, which the device ignored; it goes on. The caller must
     * limit this to one report a second.
     *
     * @param what the invalid thing, and the consequence
     */
    void driverFault(String what);

    /**
     * Reports to the operator that the host failed for the device, which goes on.
     *
     * @param what what failed, for what, and the consequence
     */
    void hostFault(String what);
}
