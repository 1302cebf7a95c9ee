package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * A program that accesses rings in every way that devices do, after their file was truncated to nothing. Prints the
 * accesses that threw no InternalError.
 */
final class TruncatedMemory {
    private static final long START = 1 << 20;
    private static final int SIZE = 1 << 16;
    private static final int PART = 1 << 12;
    private static final int RING_SIZE = 16;

    private TruncatedMemory() {}

    public static void main(String[] arguments) throws LinuxException {
        SharedFile file = SharedFile.memfd("truncated", SIZE);
        MemorySegment memory = MemoryRegion.map(START, SIZE, START, 0, file).segment();
        SplitRing split = new SplitRing(setup(memory, RingKind.SPLIT));
        PackedRing packed = new PackedRing(setup(memory, RingKind.PACKED));
        file.truncate(0);
        Map<String, Runnable> accesses = new LinkedHashMap<>();
        accesses.put("publishUsed", () -> split.publishUsed(1));
        accesses.put("writeUsedEntry", () -> split.writeUsedEntry(1, 1, 1));
        accesses.put("setKicksSuppressed", () -> split.setKicksSuppressed(true));
        accesses.put("setAvailEvent", () -> split.setAvailEvent(1));
        accesses.put("availableIndex", split::availableIndex);
        accesses.put("availableHead", () -> split.availableHead(1));
        accesses.put("driverWantsCalls", split::driverWantsCalls);
        accesses.put("usedEvent", split::usedEvent);
        accesses.put("writeUsed", () -> packed.writeUsed(1, 1, 1, true));
        accesses.put("setDeviceEvents", () -> packed.setDeviceEvents(1));
        accesses.put("setDeviceEventsAt", () -> packed.setDeviceEventsAt(1));
        accesses.put("flags", () -> packed.flags(1));
        accesses.put("driverEventFlags", packed::driverEventFlags);
        accesses.put("a short", () -> LittleEndian.setShortRelease(memory, 0, (short) 1));
        accesses.put("a byte", () -> LittleEndian.setByteRelease(memory, 0, (byte) 1));
        accesses.put("a long", () -> LittleEndian.LONG.setRelease(memory, 0L, 1L));
        accesses.forEach(TruncatedMemory::tryIt);
    }

    private static VirtqueueSetup setup(MemorySegment memory, RingKind kind) {
        return new VirtqueueSetup(
                0,
                RING_SIZE,
                kind.features(),
                new GuestMemory(),
                new RingArea(START, memory.asSlice(0, 16L * RING_SIZE)),
                new RingArea(START + PART, memory.asSlice(PART, kind.packed() ? 4 : 6 + 2L * RING_SIZE)),
                new RingArea(START + 2 * PART, memory.asSlice(2 * PART, kind.packed() ? 4 : 6 + 8L * RING_SIZE)),
                kind.packed() ? 0x8000_8000 : 0,
                -1,
                null);
    }

    @SuppressWarnings("SystemOut") // the test reads it
    private static void tryIt(String name, Runnable access) {
        try {
            access.run();
            System.out.println(name);
        } catch (InternalError e) {
            // With this error the JVM reports that the memory has gone.
        }
    }
}
