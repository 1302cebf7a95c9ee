package org.exomem.mem;

/** Receives the events of a memory device, on the event loop of its VM. */
public interface MemListener {
    /** The size of all plugged blocks has changed; in bytes. */
    void pluggedSizeChanged(long pluggedSize);

    /**
     * A request was refused. Reported once for each reason until the requested size changes.
     *
     * @param reason which request, and why
     */
    void refused(String reason);

    /** The host could not do what a request asked for; the driver may ask again. Reported every time. */
    default void busy(String why) {}

    /** A system call for a request has failed, most likely for lack of memory. Reported every time. */
    default void hostFailed(String what) {}

    /** The driver has started to use the device, or has stopped. */
    default void driverChanged(boolean running) {}
}
