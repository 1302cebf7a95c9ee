package org.exomem.conform.strict.scene;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.exomem.conform.strict.memory.GuestMemory;
import org.exomem.conform.strict.ring.Chain;

/**
 * A request of a memory device's driver, as it is in guest memory.
 *
 * <pre>
 *  0 le16 type
 *  2 le16 padding[3]
 *  8 le64 addr
 * 16 le16 nb_blocks
 * 18 le16 padding[3]
 * </pre>
 *
 * @param type -1 if there are too few bytes
 * @param address guest address in bytes
 */
public record MemRequest(int type, long address, int blocks) {
    public static final int PLUG = 0;
    public static final int UNPLUG = 1;
    public static final int UNPLUG_ALL = 2;
    public static final int STATE = 3;
    private static final int SIZE = 18;

    public static MemRequest of(Chain chain, GuestMemory memory) {
        byte[] bytes = chain.bytes(memory);
        if (bytes.length < SIZE) {
            return new MemRequest(-1, 0, 0);
        }
        ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        return new MemRequest(
                Short.toUnsignedInt(fields.getShort(0)), fields.getLong(8), Short.toUnsignedInt(fields.getShort(16)));
    }

    @Override
    public String toString() {
        String name = switch (type) {
            case PLUG -> "PLUG";
            case UNPLUG -> "UNPLUG";
            case UNPLUG_ALL -> "UNPLUG ALL";
            case STATE -> "STATE";
            default -> "request of type " + type;
        };
        return type == UNPLUG_ALL ? name : name + " of " + blocks + " blocks at 0x" + Long.toHexString(address);
    }
}
