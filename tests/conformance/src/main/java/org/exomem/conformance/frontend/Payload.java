package org.exomem.conformance.frontend;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** The payloads of requests, byte by byte (spec/vhost-user.md, VHU-PAY). */
public final class Payload {
    public static final int REGION_SIZE = 32;
    public static final int INFLIGHT_SIZE = 24;
    public static final int CONFIG_HEADER_SIZE = 12;

    private Payload() {}

    /** An empty payload. */
    public static byte[] none() {
        return new byte[0];
    }

    /** VHU-PAY-1. */
    public static byte[] number(long value) {
        return allocate(8).putLong(value).array();
    }

    /** VHU-PAY-2: a ring's index and a number. */
    public static byte[] ring(int index, int number) {
        return allocate(8).putInt(index).putInt(number).array();
    }

    /** VHU-PAY-3. */
    public static byte[] ringAddresses(RingAddresses ring) {
        return allocate(40)
                .putInt(ring.index())
                .putInt(ring.flags())
                .putLong(ring.descriptors())
                .putLong(ring.used())
                .putLong(ring.available())
                .putLong(ring.log())
                .array();
    }

    /** VHU-PAY-4. */
    public static byte[] regions(List<Region> regions) {
        ByteBuffer buffer = allocate(8 + REGION_SIZE * regions.size());
        buffer.putInt(regions.size()).putInt(0);
        regions.forEach(region -> put(buffer, region));
        return buffer.array();
    }

    /** VHU-PAY-5. */
    public static byte[] region(Region region) {
        ByteBuffer buffer = allocate(8 + REGION_SIZE).putLong(0);
        put(buffer, region);
        return buffer.array();
    }

    private static void put(ByteBuffer buffer, Region region) {
        buffer.putLong(region.guestAddress())
                .putLong(region.size())
                .putLong(region.userAddress())
                .putLong(region.fileOffset());
    }

    /** VHU-PAY-6: the log's size and where it begins in its file, in bytes. */
    public static byte[] log(long size, long offset) {
        return allocate(16).putLong(size).putLong(offset).array();
    }

    /** VHU-PAY-7. */
    public static byte[] config(int offset, int size, int flags, byte[] data) {
        return allocate(CONFIG_HEADER_SIZE + data.length)
                .putInt(offset)
                .putInt(size)
                .putInt(flags)
                .put(data)
                .array();
    }

    /** VHU-PAY-8: ends with four bytes of padding, as the C structure does. */
    public static byte[] inflight(InflightArea area) {
        return allocate(INFLIGHT_SIZE)
                .putLong(area.size())
                .putLong(area.offset())
                .putShort((short) area.queues())
                .putShort((short) area.queueSize())
                .array();
    }

    /** VHU-PAY-9: the direction (0 save, 1 load) and phase (0 stopped) of a transfer of device state. */
    public static byte[] deviceState(int direction, int phase) {
        return allocate(8).putInt(direction).putInt(phase).array();
    }

    private static ByteBuffer allocate(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
    }
}
