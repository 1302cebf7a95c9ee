package org.exomem.backend.state;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import org.exomem.mem.MemoryRegionPlan;

/**
 * Identifies the device whose state a file holds. A file is used for that device only: every field must match the
 * configuration.
 *
 * <pre>
 *    0 magic        8 bytes   "exomemst"
 *    8 version      u32       1
 *   12 checksum     u32       CRC-32C of the 4096 bytes, with 0 in this place
 *   16 kind         u32       1 balloon, 2 memory device
 *   20 reserved     u32       0
 *   24 address      u64       memory device: guest-physical address of its region; otherwise 0
 *   32 size         u64       memory device: size of its region in bytes; otherwise 0
 *   40 block size   u64       memory device: bytes; otherwise 0
 *   48 node         s64       memory device: NUMA node, -1 if it has none; otherwise 0
 *   56 reserved     8 bytes   0
 *   64 VM           u32 length in bytes, then UTF-8
 *  576 device       likewise; a memory device's id, a balloon's is empty
 * 1088 reserved     0
 * 4096 end
 * </pre>
 *
 * Numbers are little-endian.
 */
record StateHeader(Kind kind, String vm, String device, long address, long size, long blockSize, long node) {
    /** The size of the header. */
    static final int BYTES = 4096;

    /** The kind of the device. */
    enum Kind {
        BALLOON(1),
        MEMORY(2);

        private final int number;

        Kind(int number) {
            this.number = number;
        }
    }

    private static final byte[] MAGIC = "exomemst".getBytes(UTF_8);
    private static final int VERSION = 1;
    private static final int VERSION_AT = 8;
    private static final int CHECKSUM_AT = 12;
    private static final int KIND_AT = 16;
    private static final int ADDRESS_AT = 24;
    private static final int SIZE_AT = 32;
    private static final int BLOCK_SIZE_AT = 40;
    private static final int NODE_AT = 48;
    private static final int VM_AT = 64;
    private static final int DEVICE_AT = 576;
    /** The longest name, in bytes of UTF-8. */
    private static final int MOST_NAME = DEVICE_AT - VM_AT - Integer.BYTES;

    static StateHeader ofBalloon(String vm) {
        return new StateHeader(Kind.BALLOON, vm, "", 0, 0, 0, 0);
    }

    static StateHeader ofMemory(String vm, String device, MemoryRegionPlan plan) {
        return new StateHeader(
                Kind.MEMORY,
                vm,
                device,
                plan.address(),
                plan.size(),
                plan.blockSize(),
                plan.node().orElse(-1));
    }

    ByteBuffer encode() {
        ByteBuffer bytes = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put(0, MAGIC);
        bytes.putInt(VERSION_AT, VERSION);
        bytes.putInt(KIND_AT, kind.number);
        bytes.putLong(ADDRESS_AT, address);
        bytes.putLong(SIZE_AT, size);
        bytes.putLong(BLOCK_SIZE_AT, blockSize);
        bytes.putLong(NODE_AT, node);
        putName(bytes, VM_AT, vm);
        putName(bytes, DEVICE_AT, device);
        bytes.putInt(CHECKSUM_AT, checksum(bytes));
        return bytes;
    }

    private static void putName(ByteBuffer bytes, int at, String name) {
        byte[] utf8 = name.getBytes(UTF_8);
        if (utf8.length > MOST_NAME) {
            throw new IllegalArgumentException(
                    "the name \"" + name + "\" has " + utf8.length + " bytes; a state file can hold " + MOST_NAME);
        }
        bytes.putInt(at, utf8.length);
        bytes.put(at + Integer.BYTES, utf8);
    }

    private static int checksum(ByteBuffer bytes) {
        ByteBuffer copy = ByteBuffer.wrap(bytes.array().clone()).order(ByteOrder.LITTLE_ENDIAN);
        copy.putInt(CHECKSUM_AT, 0);
        CRC32C crc = new CRC32C();
        crc.update(copy.array());
        return (int) crc.getValue();
    }

    /**
     * Checks that a file is this device's.
     *
     * @param bytes the file's first {@link #BYTES} bytes, little-endian, backed by an array
     * @throws StateFileException naming the field, the expected and the found value (STA-FILE-3)
     */
    void check(Path file, ByteBuffer bytes) throws StateFileException {
        byte[] magic = new byte[MAGIC.length];
        bytes.get(0, magic);
        if (!Arrays.equals(magic, MAGIC)) {
            throw new StateFileException(
                    file,
                    "it begins with 0x" + HexFormat.of().formatHex(magic) + " and not with \""
                            + new String(MAGIC, UTF_8)
                            + "\", so it is not a state file of exomem, and it is left unchanged. Move it away, or"
                            + " use another state directory");
        }
        int version = bytes.getInt(VERSION_AT);
        if (version != VERSION) {
            throw new StateFileException(
                    file,
                    "its version is " + Integer.toUnsignedString(version) + ", this exomem supports version " + VERSION
                            + ". Use the exomem that wrote it, or stop the VM, move the file away, and start"
                            + " the VM again");
        }
        int found = bytes.getInt(CHECKSUM_AT);
        int expected = checksum(bytes);
        if (found != expected) {
            throw StateFileException.damaged(
                    file,
                    String.format(
                            "the checksum in its header is %#x, the checksum of its content is %#x", found, expected));
        }
        compare(file, "kind", kind.number, bytes.getInt(KIND_AT));
        compare(file, "VM", vm, name(bytes, VM_AT));
        compare(file, "device", device, name(bytes, DEVICE_AT));
        compare(file, "address", hex(address), hex(bytes.getLong(ADDRESS_AT)));
        compare(file, "size", size, bytes.getLong(SIZE_AT));
        compare(file, "block size", blockSize, bytes.getLong(BLOCK_SIZE_AT));
        compare(file, "node", node, bytes.getLong(NODE_AT));
    }

    private static String hex(long address) {
        return "0x" + Long.toHexString(address);
    }

    private static String name(ByteBuffer bytes, int at) {
        int length = Math.clamp(bytes.getInt(at), 0, MOST_NAME);
        return new String(bytes.array(), at + Integer.BYTES, length, UTF_8);
    }

    private static void compare(Path file, String field, Object expected, Object found) throws StateFileException {
        if (!String.valueOf(expected).equals(String.valueOf(found))) {
            throw new StateFileException(
                    file,
                    "its field \"" + field + "\" has " + found + ", the configuration has " + expected
                            + ". The file is left unchanged. Correct the configuration; or, if the device is meant to"
                            + " change, stop the VM and move the file away first");
        }
    }
}
