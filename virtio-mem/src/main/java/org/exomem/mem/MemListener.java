package org.exomem.mem;

/** Is told what happens to a memory device, on the event loop of its VM. */
public interface MemListener {
    /** The size of all plugged blocks has changed; bytes. */
    void pluggedSizeChanged(long pluggedSize);

    /**
     * A request was refused. Told once for each reason until the requested size changes.
     *
     * @param reason which request, and why
     */
    void refused(String reason);

    /** The host could not do what a request asked for, and the driver may ask again. Told every time. */
    default void busy(String why) {}

    /** A system call that a request needed has failed, for want of memory most likely. Told every time. */
    default void hostFailed(String what) {}

    /** The driver has started to use the device, or has stopped. */
    default void driverChanged(boolean running) {}
}
