package org.exomem.benchmarks.micro;

import java.lang.foreign.MemorySegment;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;

/**
 * One request of a memory device's driver in guest memory, which plugs and unplugs the same block in turns, in a {@link
 * ReusedRing}.
 */
final class ReusedRequest {
    /** The guest address of the device's region, in the guest of all benchmarks of one process. */
    static final long REGION = 32L << 20;

    static final long REGION_BYTES = 32L << 20;
    static final long BLOCK_BYTES = 2L << 20;
    private static final int REQUEST_BYTES = 24;
    private static final int RESPONSE_BYTES = 10;
    private static final int QUEUE_SIZE = 128;
    private static final byte NO_ANSWER = 0x5a;

    private final MemorySegment request;
    private final MemorySegment response;
    private final ReusedRing ring;
    private int type = MemDriver.UNPLUG;

    /** @param features of the device and of the ring, with INDIRECT_DESC */
    ReusedRequest(GuestRam ram, long features) {
        long requestAt = ram.allocateZeroed(REQUEST_BYTES, 8);
        long responseAt = ram.allocate(RESPONSE_BYTES, 8);
        request = ram.bytes(requestAt, REQUEST_BYTES);
        response = ram.bytes(responseAt, RESPONSE_BYTES);
        request.set(ReusedRing.LE_LONG, 8, REGION + 3 * BLOCK_BYTES);
        request.set(ReusedRing.LE_SHORT, 16, (short) 1);
        ring = ReusedRing.ofRequest(ram, QUEUE_SIZE, features, requestAt, REQUEST_BYTES, responseAt, RESPONSE_BYTES);
    }

    ReusedRing ring() {
        return ring;
    }

    /** Makes a request available that plugs the block if it is unplugged, and otherwise unplugs it. */
    void makeChangeAvailable() {
        makeAvailable(type == MemDriver.PLUG ? MemDriver.UNPLUG : MemDriver.PLUG);
    }

    void makeAvailable(int newType) {
        type = newType;
        request.set(ReusedRing.LE_SHORT, 0, (short) newType);
        response.set(ReusedRing.LE_SHORT, 0, NO_ANSWER);
        ring.makeAvailable();
    }

    /** The device's answer. */
    int answer() {
        return response.get(ReusedRing.LE_SHORT, 0);
    }
}
