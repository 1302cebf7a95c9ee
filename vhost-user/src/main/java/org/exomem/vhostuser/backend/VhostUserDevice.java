package org.exomem.vhostuser.backend;

import java.lang.foreign.MemorySegment;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * A virtio device, as a session sees it. The object outlives connections: front-ends come and go, the device's state
 * stays. All methods are called on the event loop of the device's VM, and must not wait.
 *
 * <p>The order of calls: {@link #connected}; then, as often as the front-end likes, {@link #featuresAcknowledged},
 * {@link #queueStarted}, {@link #process}, {@link #queueStopped}, {@link #reset}; at last {@link #disconnected}, before
 * which every started queue was stopped.
 */
public interface VhostUserDevice {
    /** The virtio device ID (VIRTIO, "Device Types"): 5 for a balloon, 24 for virtio-mem. */
    int deviceId();

    /**
     * The device-specific feature bits on offer, bits 0 to 23 and 50 to 63. The transport's own (rings, VERSION_1,
     * vhost-user's) are added by the session.
     */
    long features();

    /** The most queues the device has, whatever is negotiated; 1 to 64. */
    int maxQueues();

    /** The size of the config space in bytes, 0 to 256. */
    int configSize();

    /** Copies the whole config space, little-endian, into {@code config}, which has {@link #configSize} bytes. */
    void readConfig(MemorySegment config);

    /**
     * The driver wrote the config space. Read-only fields within the range are left alone, not refused (VHU-CFG-2).
     *
     * @param offset of the first byte; offset and size of {@code data} lie inside the config space
     */
    void writeConfig(int offset, MemorySegment data);

    /** A front-end has connected; {@code link} is the way to it until {@link #disconnected}. */
    void connected(DeviceLink link);

    /**
     * The features that driver and front-end acknowledged, a subset of those offered: those of the device, of the rings,
     * and bit 30, but never LOG_ALL (VHU-FEAT-6). Called again after a reset, and when they change.
     */
    void featuresAcknowledged(long features);

    /** A queue runs: it is started and enabled. {@link #process} follows. */
    void queueStarted(Virtqueue queue);

    /**
     * Something may be available: pop and push until {@link Virtqueue#pop} returns false, or much has been done; for what
     * is left this is called again, after all other events that wait. The session calls the driver afterwards if it wants
     * to be.
     *
     * @throws DriverFault if the driver broke a rule of the device; the queue is processed no further until a reset
     */
    void process(Virtqueue queue);

    /**
     * A queue is about to stop. Chains that the device still holds may be pushed now, and not later; what is not pushed
     * stays with the driver or, where in-flight memory is shared, is popped again when the queue starts.
     *
     * @param completing true if the front-end asks for what is in flight to be finished (GET_VRING_BASE); false if the
     *     connection is gone or the device is reset
     */
    void queueStopped(Virtqueue queue, boolean completing);

    /** The front-end asked for the device's initial state (RESET_DEVICE, status 0). All queues were stopped before. */
    void reset();

    /** How the device moves to another host with its VM; null if it can't. The same object, or null, at every call. */
    default @Nullable DeviceState state() {
        return null;
    }

    /** Guest memory has changed: regions came or went. */
    default void memoryChanged() {}

    /**
     * Guest memory has begun to arrive page by page, or all of it is here ({@link GuestMemory#isArriving} of the link's memory says which):
     * while it arrives nothing of it is discarded or allocated (VHU-PST-9). No queue is started when it begins.
     */
    default void memoryArrives() {}

    /** The front-end has begun to log what is written to guest memory, or has ended to. */
    default void loggingChanged() {}

    /** The front-end has gone. */
    void disconnected();
}
