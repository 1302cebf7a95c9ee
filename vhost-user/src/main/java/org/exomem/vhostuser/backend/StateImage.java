package org.exomem.vhostuser.backend;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * The format of a device's state on the channel of SET_DEVICE_STATE_FD (spec/state.md, STA-MOV-8). Numbers are
 * little-endian.
 *
 * <pre>
 *  0 magic       8 bytes   "exomemds"
 *  8 version     u32       1
 * 12 device      u32       virtio device ID
 * 16 length      u64       bytes of the state
 * 24 checksum    u32       CRC-32C of all bytes, with 0 in this place
 * 28 reserved    u32       0
 * 32 state, as the device lays it out
 * </pre>
 */
final class StateImage {
    static final long HEADER = 32;

    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final MemorySegment MAGIC = MemorySegment.ofArray("exomemds".getBytes(US_ASCII));
    private static final int VERSION = 1;
    private static final long VERSION_AT = 8;
    private static final long DEVICE_AT = 12;
    private static final long LENGTH_AT = 16;
    private static final long CHECKSUM_AT = 24;
    private static final long RESERVED_AT = 28;

    private StateImage() {}

    /** Encodes a state, in native memory of the arena. */
    static MemorySegment of(int device, MemorySegment state, Arena arena) {
        MemorySegment image = arena.allocate(HEADER + state.byteSize(), 8);
        image.copyFrom(MAGIC);
        image.set(LE_INT, VERSION_AT, VERSION);
        image.set(LE_INT, DEVICE_AT, device);
        image.set(LE_LONG, LENGTH_AT, state.byteSize());
        image.asSlice(HEADER).copyFrom(state);
        image.set(LE_INT, CHECKSUM_AT, checksum(image));
        return image;
    }

    /**
     * Decodes a state.
     *
     * @throws DeviceStateException if the bytes are no complete image of such a device
     */
    static MemorySegment state(int device, MemorySegment image) throws DeviceStateException {
        if (image.byteSize() < HEADER) {
            throw new DeviceStateException("it has " + image.byteSize() + " bytes, but the header alone has " + HEADER);
        }
        if (image.asSlice(0, MAGIC.byteSize()).mismatch(MAGIC) != -1) {
            throw new DeviceStateException("it does not begin with \"exomemds\", so exomem did not write it");
        }
        int version = image.get(LE_INT, VERSION_AT);
        if (version != VERSION) {
            throw new DeviceStateException("it has version " + Integer.toUnsignedString(version)
                    + ", this exomem supports version " + VERSION);
        }
        DeviceStateException.requireSame("device", device, image.get(LE_INT, DEVICE_AT));
        long length = image.get(LE_LONG, LENGTH_AT);
        if (length != image.byteSize() - HEADER) {
            throw new DeviceStateException("it has " + image.byteSize() + " bytes instead of " + HEADER + " and "
                    + Long.toUnsignedString(length));
        }
        int found = image.get(LE_INT, CHECKSUM_AT);
        int expected = checksum(image);
        if (image.get(LE_INT, RESERVED_AT) != 0) {
            throw new DeviceStateException("it has " + image.get(LE_INT, RESERVED_AT) + " in a reserved field");
        }
        if (found != expected) {
            throw new DeviceStateException(String.format(
                    "its checksum is %#x, the checksum of its content is %#x: it was damaged in transit",
                    found, expected));
        }
        return image.asSlice(HEADER);
    }

    private static int checksum(MemorySegment image) {
        CRC32C crc = new CRC32C();
        crc.update(image.asSlice(0, CHECKSUM_AT).asByteBuffer());
        crc.update(new byte[Integer.BYTES]);
        crc.update(image.asSlice(RESERVED_AT).asByteBuffer());
        return (int) crc.getValue();
    }
}
