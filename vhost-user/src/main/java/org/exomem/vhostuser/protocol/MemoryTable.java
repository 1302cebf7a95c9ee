package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The payload of SET_MEM_TABLE (vhost-user, "Memory regions description"; VHU-PAY-4).
 *
 * <pre>
 * 0 num regions   u32
 * 4 padding       u32
 * 8 regions       32 bytes each
 * </pre>
 */
final class MemoryTable {
    static final int MAX_REGIONS = 8;
    private static final int COUNT_OFFSET = 0;
    private static final int REGIONS_OFFSET = 8;
    private static final int FULL_SIZE = REGIONS_OFFSET + MAX_REGIONS * RegionDescription.SIZE;

    private MemoryTable() {}

    static List<RegionDescription> decode(MemorySegment payload, int fds) {
        if (payload.byteSize() < REGIONS_OFFSET) {
            throw new FrontEndFault("SET_MEM_TABLE has only " + payload.byteSize() + " bytes of payload");
        }
        int count = payload.get(JAVA_INT, COUNT_OFFSET);
        if (count < 1 || count > MAX_REGIONS) {
            throw new FrontEndFault("SET_MEM_TABLE announces " + Integer.toUnsignedString(count)
                    + " regions; must be 1 to " + MAX_REGIONS);
        }
        if (count != fds) {
            throw new FrontEndFault("SET_MEM_TABLE has " + count + " regions and " + fds + " file descriptors");
        }
        // Some front-ends send the table at its full size, whatever it contains.
        long wanted = REGIONS_OFFSET + (long) count * RegionDescription.SIZE;
        if (payload.byteSize() != wanted && payload.byteSize() != FULL_SIZE) {
            throw new FrontEndFault("SET_MEM_TABLE has " + payload.byteSize() + " bytes of payload instead of " + wanted
                    + " for " + count + " regions");
        }
        List<RegionDescription> regions = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            regions.add(RegionDescription.decode(payload, REGIONS_OFFSET + (long) i * RegionDescription.SIZE));
        }
        return regions;
    }

    static MemorySegment encode(List<RegionDescription> regions) {
        MemorySegment payload = Reply.allocate(REGIONS_OFFSET + regions.size() * RegionDescription.SIZE);
        payload.set(JAVA_INT, COUNT_OFFSET, regions.size());
        for (int i = 0; i < regions.size(); i++) {
            regions.get(i).encode(payload, REGIONS_OFFSET + (long) i * RegionDescription.SIZE);
        }
        return payload;
    }
}
