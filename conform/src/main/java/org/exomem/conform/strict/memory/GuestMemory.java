package org.exomem.conform.strict.memory;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.jspecify.annotations.Nullable;

/** The regions that a front-end has shared, mapped. For one thread. */
public final class GuestMemory implements AutoCloseable {
    public static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    public static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    public static final ValueLayout.OfLong LE_LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** The offset of the regions in the payload of SET_MEM_TABLE, and of the region in that of ADD_MEM_REG. */
    private static final int REGIONS = 8;

    private List<Shared> regions = new ArrayList<>();

    /** A mapped region. */
    public record Shared(Region region, SharedFile file, Mapping mapping, MemorySegment bytes) {}

    /** The regions that a message describes, as far as its payload contains them. */
    public static List<Region> described(FrontEndMessage message) {
        List<Region> all = new ArrayList<>();
        for (int at = REGIONS; at + Payload.REGION_SIZE <= message.payload().length; at += Payload.REGION_SIZE) {
            all.add(new Region(
                    message.longAt(at), message.longAt(at + 8), message.longAt(at + 16), message.longAt(at + 24)));
        }
        return all;
    }

    /** The regions that are shared now. */
    public List<Region> regions() {
        return regions.stream().map(Shared::region).toList();
    }

    /** Serves SET_MEM_TABLE. Takes the descriptors over. Leaves out regions that can't be mapped. */
    public void set(FrontEndMessage message) {
        List<Shared> before = regions;
        regions = new ArrayList<>();
        add(message);
        before.forEach(GuestMemory::close);
    }

    /** Serves ADD_MEM_REG. Takes the descriptor over. Leaves out a region that can't be mapped. */
    public void add(FrontEndMessage message) {
        List<Region> described = described(message);
        for (int i = 0; i < message.fds().size(); i++) {
            Fd fd = message.fds().get(i);
            if (i >= described.size() || !map(described.get(i), fd)) {
                fd.close();
            }
        }
    }

    private boolean map(Region region, Fd fd) {
        try {
            SharedFile file = new SharedFile(fd);
            long page = file.pageSize();
            long before = Math.floorMod(region.fileOffset(), page);
            if (whyNotMappable(region, file.size()).isPresent()) {
                return false;
            }
            Mapping mapping = Mapping.of(file, region.fileOffset() - before, region.size() + before);
            regions.add(new Shared(region, file, mapping, mapping.segment().asSlice(before, region.size())));
            return true;
        } catch (LinuxException e) {
            return false;
        }
    }

    /** Why a file of that size can't contain a region; empty if it can. */
    public static Optional<String> whyNotMappable(Region region, long fileSize) {
        if (region.size() <= 0) {
            return Optional.of("it has " + Long.toUnsignedString(region.size()) + " bytes");
        }
        return region.fileOffset() < 0 || region.fileOffset() > fileSize - region.size()
                ? Optional.of("it ends after its file, which has " + fileSize + " bytes")
                : Optional.empty();
    }

    /** Serves REM_MEM_REG. Returns whether there was such a region. */
    public boolean remove(FrontEndMessage message) {
        List<Region> described = described(message);
        if (described.isEmpty()) {
            return false;
        }
        Region gone = described.getFirst();
        for (Shared shared : regions) {
            if (shared.region().guestAddress() == gone.guestAddress()
                    && shared.region().size() == gone.size()
                    && shared.region().userAddress() == gone.userAddress()) {
                close(shared);
                regions.remove(shared);
                return true;
            }
        }
        return false;
    }

    /** A range by its user address; null if no region contains all of it. */
    public @Nullable MemorySegment user(long address, long length) {
        for (Shared shared : regions) {
            MemorySegment found = slice(shared, address - shared.region().userAddress(), length);
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    /** A range by its guest address; null if no region contains all of it. */
    public @Nullable MemorySegment guest(long address, long length) {
        for (Shared shared : regions) {
            MemorySegment found = slice(shared, address - shared.region().guestAddress(), length);
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    /** The guest address of a user address; -1 if no region contains it. */
    public long guestAddress(long user) {
        for (Shared shared : regions) {
            long at = user - shared.region().userAddress();
            if (at >= 0 && at < shared.region().size()) {
                return shared.region().guestAddress() + at;
            }
        }
        return -1;
    }

    /** The first guest address behind all regions. */
    public long end() {
        return regions.stream()
                .mapToLong(shared ->
                        shared.region().guestAddress() + shared.region().size())
                .max()
                .orElse(0);
    }

    /**
     * Returns a range to the host, so that it reads as zeros. Returns false if guest memory does not contain all of it.
     */
    public boolean discard(long guest, long length) throws LinuxException {
        for (Shared shared : regions) {
            long at = guest - shared.region().guestAddress();
            if (slice(shared, at, length) != null) {
                shared.file().punchHole(shared.region().fileOffset() + at, length);
                return true;
            }
        }
        return false;
    }

    /** True if a range contains only zeros. Does not touch holes of the file. */
    public boolean isZero(long guest, long length) throws LinuxException {
        for (Shared shared : regions) {
            long at = guest - shared.region().guestAddress();
            if (slice(shared, at, length) != null) {
                return isZero(shared, at, length);
            }
        }
        return true;
    }

    private static boolean isZero(Shared shared, long at, long length) throws LinuxException {
        long offset = shared.region().fileOffset();
        long end = offset + at + length;
        long from = offset + at;
        while (from < end) {
            long data = shared.file().nextData(from);
            if (data < 0 || data >= end) {
                return true;
            }
            long hole = Math.min(end, shared.file().nextHole(data));
            MemorySegment bytes = shared.bytes().asSlice(data - offset, hole - data);
            for (long i = 0; i + Long.BYTES <= bytes.byteSize(); i += Long.BYTES) {
                if (bytes.get(LE_LONG, i) != 0) {
                    return false;
                }
            }
            from = hole;
        }
        return true;
    }

    private static @Nullable MemorySegment slice(Shared shared, long at, long length) {
        long size = shared.bytes().byteSize();
        return at >= 0 && length >= 0 && length <= size && at <= size - length
                ? shared.bytes().asSlice(at, length)
                : null;
    }

    private static void close(Shared shared) {
        shared.mapping().close();
        shared.file().close();
    }

    @Override
    public void close() {
        regions.forEach(GuestMemory::close);
        regions.clear();
    }
}
