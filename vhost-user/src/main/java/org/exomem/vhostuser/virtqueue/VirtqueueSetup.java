package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import org.exomem.vhostuser.memory.GuestMemory;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of a queue's start.
 *
 * @param index the queue's index in its device
 * @param size number of descriptors, 1 to 32768; a power of two for a split queue
 * @param features the negotiated features; only {@link RingFeatures} count here
 * @param memory that has the buffers and indirect tables
 * @param descriptors descriptor table (split) or descriptor ring (packed)
 * @param driver available ring (split) or driver event suppression (packed)
 * @param device used ring (split) or device event suppression (packed)
 * @param base the number of SET_VRING_BASE, see {@link Virtqueue#base}
 * @param usedLogAddress the guest address under which writes to the used ring go to the dirty log (SET_VRING_ADDR's {@code
 *     log} field), or -1 if they aren't logged
 * @param inflight this queue's region of the in-flight buffer, {@link InflightRegion#bytes} long, or null if none is shared
 */
public record VirtqueueSetup(
        int index,
        int size,
        long features,
        GuestMemory memory,
        RingArea descriptors,
        RingArea driver,
        RingArea device,
        int base,
        long usedLogAddress,
        @Nullable MemorySegment inflight) {

    /** @throws IllegalArgumentException if size, areas or region do not match the parameters; a front-end's fault */
    public VirtqueueSetup {
        if (!RingLayout.isValidSize(size, features)) {
            throw new IllegalArgumentException("a ring can't have " + size + " descriptors: it must have 1 to "
                    + RingLayout.MAX_SIZE + ", and a split ring a power of two");
        }
        RingLayout.check(size, features, descriptors, driver, device);
        if (inflight != null) {
            InflightRegion.check(inflight, size, features);
        }
    }

    boolean has(long feature) {
        return (features & feature) != 0;
    }
}
