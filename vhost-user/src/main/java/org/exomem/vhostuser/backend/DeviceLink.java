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
     * Has {@link VhostUserDevice#process} called for the queue once more, after all other events that wait, though nothing
     * may be available: the device has a chain in hand that it goes on with. Called from within {@code process}.
     */
    void processAgain(Virtqueue queue);

    /**
     * Runs a task on the event loop after all other events that wait: the next slice of work that is too long for one step
     * of the loop. A task that is still to run when the front-end goes is dropped.
     */
    void later(Runnable task);

    /**
     * The driver named something that makes no sense, and the device left it alone and goes on: told to the operator.
     * The caller sees to it that this is not told more than once a second.
     *
     * @param what what was named, and what follows
     */
    void driverFault(String what);

    /**
     * Something of the host failed on the device's behalf: told to the operator, the device goes on.
     *
     * @param what what failed, to what, and what follows
     */
    void hostFault(String what);
}
