package org.exomem.mem;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.jspecify.annotations.Nullable;

/**
 * A request of the driver and its response (VIRTIO, "Memory Device", "Device Operation"), copied out of guest memory once.
 * One object serves all requests of a device. Padding and bytes after the request are ignored (MEM-REQ-2).
 *
 * <pre>
 * request                     response
 *  0 type        le16          0 type          le16
 *  2 padding     6 bytes       2 padding       6 bytes
 *  8 addr        le64          8 state type    le16
 * 16 nb_blocks   le16
 * 18 padding     6 bytes
 * </pre>
 */
final class GuestRequest {
    private static final ValueLayout.OfLong LE64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort LE16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int REQUEST_SIZE = 24;
    private static final int TYPE = 0;
    private static final int ADDR = 8;
    private static final int NB_BLOCKS = 16;
    private static final int RESPONSE_SIZE = 10;
    private static final int RESPONSE_TYPE = 0;
    private static final int RESPONSE_STATE = 8;

    private final MemorySegment request = Arena.ofAuto().allocate(REQUEST_SIZE, 8);
    private final MemorySegment response = Arena.ofAuto().allocate(RESPONSE_SIZE, 8);
    private int typeNumber;
    private @Nullable RequestType type;
    private long address;
    private int blocks;

    /**
     * Reads the request in a chain.
     *
     * @throws DriverFault if it is too short, or has too little room for its response (MEM-REQ-1)
     */
    void read(DescriptorChain chain) {
        if (chain.readableBytes() < REQUEST_SIZE) {
            throw new DriverFault("a request has " + chain.readableBytes() + " bytes instead of " + REQUEST_SIZE);
        }
        if (chain.writableBytes() < RESPONSE_SIZE) {
            throw new DriverFault("a request has space for " + chain.writableBytes() + " bytes of response instead of "
                    + RESPONSE_SIZE);
        }
        chain.read(0, request);
        typeNumber = request.get(LE16, TYPE) & 0xffff;
        type = RequestType.of(typeNumber);
        address = request.get(LE64, ADDR);
        blocks = request.get(LE16, NB_BLOCKS) & 0xffff;
    }

    /** The type of the request; null if it is unknown. */
    @Nullable
    RequestType type() {
        return type;
    }

    /** Guest-physical address of the first block, as the driver sent it. */
    long address() {
        return address;
    }

    /** The number of blocks, 0 to 65535. */
    int blocks() {
        return blocks;
    }

    /** Writes the response; returns its size in bytes. */
    int respond(DescriptorChain chain, GuestMemory memory, Answer answer, BlockMap.State state) {
        response.fill((byte) 0);
        response.set(LE16, RESPONSE_TYPE, (short) answer.number());
        response.set(LE16, RESPONSE_STATE, (short) number(state));
        return (int) chain.write(0, response, memory);
    }

    /** The number of a state in a response (MEM-STATE-1). */
    private static int number(BlockMap.State state) {
        return switch (state) {
            case PLUGGED -> 0;
            case UNPLUGGED -> 1;
            case MIXED -> 2;
        };
    }

    @Override
    public String toString() {
        String name = type == null ? "request " + typeNumber : type.name();
        return String.format("%s of %d blocks at %#x", name, blocks, address);
    }
}
