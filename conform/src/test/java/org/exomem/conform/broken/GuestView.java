package org.exomem.conform.broken;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.exomem.conformance.frontend.Payload;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.jspecify.annotations.Nullable;

/**
 * Guest memory as the front-end shares it, mapped by the saboteur, too. A removed region stays mapped until its removal
 * has certainly succeeded.
 */
final class GuestView implements AutoCloseable {
    static final ValueLayout.OfShort LE_SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LE_LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int REGIONS = 8;

    private final List<Mapping> mappings = new ArrayList<>();
    private List<Shared> regions = List.of();

    /** A mapped region; all numbers are bytes. */
    record Shared(long guestAddress, long userAddress, MemorySegment bytes) {}

    /** The present table, to restore it if a change is refused. */
    List<Shared> regions() {
        return regions;
    }

    void restore(List<Shared> before) {
        regions = before;
    }

    /** SET_MEM_TABLE. */
    void set(Message request) {
        List<Shared> fresh = new ArrayList<>();
        for (int i = 0; i < request.fds().size(); i++) {
            map(request, REGIONS + i * Payload.REGION_SIZE, request.fds().get(i), fresh);
        }
        regions = List.copyOf(fresh);
    }

    /** ADD_MEM_REG. */
    void add(Message request) {
        List<Shared> all = new ArrayList<>(regions);
        if (!request.fds().isEmpty()) {
            map(request, REGIONS, request.fds().getFirst(), all);
        }
        regions = List.copyOf(all);
    }

    /** REM_MEM_REG. */
    void remove(Message request) {
        regions = regions.stream()
                .filter(region -> region.guestAddress() != request.longAt(REGIONS)
                        || region.userAddress() != request.longAt(REGIONS + 16))
                .toList();
    }

    private void map(Message request, int at, Fd fd, List<Shared> into) {
        long size = request.longAt(at + 8);
        long offset = request.longAt(at + 24);
        if (size <= 0 || !request.hasLong(at + 24)) {
            return;
        }
        try (SharedFile file = new SharedFile(fd.duplicate())) {
            if (offset < 0 || offset > file.size() - size) {
                return;
            }
            Mapping mapping = Mapping.of(file, offset, size);
            mappings.add(mapping);
            into.add(new Shared(request.longAt(at), request.longAt(at + 16), mapping.segment()));
        } catch (LinuxException e) {
            // A region that can't be mapped is refused by the back-end, too.
        }
    }

    /** Unmaps memory that is in no region any more. */
    void forgetOthers() {
        for (Iterator<Mapping> all = mappings.iterator(); all.hasNext(); ) {
            Mapping mapping = all.next();
            long address = mapping.segment().address();
            if (regions.stream().noneMatch(region -> region.bytes().address() == address)) {
                mapping.close();
                all.remove();
            }
        }
    }

    /** A range by its user address; null if no region contains all of it. */
    @Nullable
    MemorySegment user(long address, long length) {
        for (Shared region : regions) {
            MemorySegment found = slice(region, address - region.userAddress(), length);
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    /** A range by its guest address; null if no region contains all of it. */
    @Nullable
    MemorySegment guest(long address, long length) {
        for (Shared region : regions) {
            MemorySegment found = slice(region, address - region.guestAddress(), length);
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    private static @Nullable MemorySegment slice(Shared region, long at, long length) {
        long size = region.bytes().byteSize();
        return at >= 0 && length >= 0 && at <= size - length && length <= size
                ? region.bytes().asSlice(at, length)
                : null;
    }

    @Override
    public void close() {
        mappings.forEach(Mapping::close);
    }
}
