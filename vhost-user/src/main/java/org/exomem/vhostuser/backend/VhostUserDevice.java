package org.exomem.vhostuser.backend;

import java.lang.foreign.MemorySegment;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * A virtio device, as a session sees it. The object outlives connections: front-ends come and go, and the device keeps its
 * state. All methods are called on the VM's event loop, and must not wait.
 *
 * <p>The order of calls: {@link #connected}; then, as often as the front-end likes, {@link #featuresAcknowledged}, {@link
 * #queueStarted}, {@link #process}, {@link #queueStopped}, {@link #reset}; at last {@link #disconnected}, before which every
 * started queue was stopped.
 */
public interface VhostUserDevice {
    /** The virtio device ID (VIRTIO, "Device Types"): 5 for a balloon, 24 for virtio-mem. */
    int deviceId();

    /**
     * The offered device-specific feature bits, bits 0 to 23 and 50 to 63. The session adds those of the transport (rings,
     * VERSION_1, vhost-user's).
     */
    long features();

    /** The most queues of the device, independent of the negotiation; 1 to 64. */
    int maxQueues();

    /** The size of the config space in bytes, 0 to 256. */
    int configSize();

    /** Copies the whole config space, little-endian, to {@code config}, which has {@link #configSize} bytes. */
    void readConfig(MemorySegment config);

    /**
     * The driver wrote the config space. Writes to read-only fields are ignored, not refused (VHU-CFG-2).
     *
     * @param offset of the first byte; offset and size of {@code data} are inside the config space
     */
    void writeConfig(int offset, MemorySegment data);

    /** A front-end has connected; {@code link} is valid until {@link #disconnected}. */
    void connected(DeviceLink link);

    /**
     * The features that driver and front-end acknowledged, a subset of those offered: those of the device, of the rings, and
     * bit 30, but never LOG_ALL (VHU-FEAT-6). Called again after a reset, and when they change.
     */
    void featuresAcknowledged(long features);

    /** A queue runs: it is started and enabled. {@link #process} follows. */
    void queueStarted(Virtqueue queue);

    /**
     * Chains may be available: pop and push until {@link Virtqueue#pop} returns false, or much has been done; for the rest
     * this is called again, after all other waiting events. The session calls the driver afterwards if it wants to be
     * called.
     *
     * @throws DriverFault if the driver broke a rule of the device; the queue is not processed any more until a reset
     */
    void process(Virtqueue queue);

    /**
     * A queue is about to stop. Chains that the device still has may be pushed now, and not later. Chains that are not
     * pushed stay with the driver or, if in-flight memory is shared, are popped again when the queue starts.
     *
     * @param completing true if the front-end requests that chains in flight are completed (GET_VRING_BASE); false if the
     *     connection has ended or the device is reset
     */
    void queueStopped(Virtqueue queue, boolean completing);

    /** The front-end requested the device's initial state (RESET_DEVICE, status 0). All queues were stopped before. */
    void reset();

    /**
     * Saves and loads the device's state when its VM moves; null if it can't move. Always the same object, or always null.
     */
    default @Nullable DeviceState state() {
        return null;
    }

    /** Guest memory has changed: regions were added or removed. */
    default void memoryChanged() {}

    /**
     * Guest memory has begun to arrive page by page, or all of it has arrived ({@link GuestMemory#isArriving} of the link's
     * memory shows which). While it arrives, none of it is discarded or allocated (VHU-PST-9). No queue is started when it
     * begins.
     */
    default void memoryArrives() {}

    /** The front-end has begun or ended to log writes to guest memory. */
    default void loggingChanged() {}

    /** The front-end has gone. */
    void disconnected();
}
