package org.exomem.conformance.guest;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.exomem.conformance.frontend.Region;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/**
 * A guest's memory: one memfd, completely mapped into this process, and presented to the guest as regions. Numbers in
 * it are little-endian. All sizes and addresses are bytes; addresses are guest-physical.
 */
public final class GuestRam implements AutoCloseable {
    /** The unit of the balloon's page numbers. */
    public static final long PAGE = 4096;

    private static final long FOUR_GIB = 1L << 32;
    private static final ValueLayout.OfShort LE_SHORT = JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE_INT = JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final SharedFile file;
    private final Mapping mapping;
    private final List<Region> regions;
    private long nextFree;

    private GuestRam(SharedFile file, Mapping mapping, List<Region> regions) {
        this.file = file;
        this.mapping = mapping;
        this.regions = regions;
    }

    /** Creates one region at guest address 0. */
    public static GuestRam ofSize(long size) throws LinuxException {
        return of(SharedFile.memfd("guest-ram", size), new long[] {0, size});
    }

    /** Creates two regions of one memfd, as in a PC: at 0 and at 4 GiB. */
    public static GuestRam withPciHole(long below, long above) throws LinuxException {
        return of(SharedFile.memfd("guest-ram", below + above), new long[] {0, below, FOUR_GIB, above});
    }

    /** Creates one region at guest address 0, in a new file. The caller deletes the file. */
    public static GuestRam ofFile(Path file, long size) throws LinuxException {
        return of(SharedFile.create(file, size), new long[] {0, size});
    }

    /** Opens or creates a file, with the layout of {@link #ofLayout}. The caller deletes the file. */
    public static GuestRam ofSharedFile(Path file, long... addressesAndSizes) throws LinuxException {
        return of(SharedFile.openOrCreate(file, total(addressesAndSizes)), addressesAndSizes);
    }

    /** Creates one region of huge pages. Fails with ENOMEM if the host has reserved too few of them. */
    public static GuestRam ofHugePages(long size, long hugePageSize) throws LinuxException {
        return of(SharedFile.hugeMemfd("guest-ram", size, hugePageSize), new long[] {0, size});
    }

    /** Creates any layout of one memfd: pairs of guest address and size, which are contiguous in the file. */
    public static GuestRam ofLayout(long... addressesAndSizes) throws LinuxException {
        return of(SharedFile.memfd("guest-ram", total(addressesAndSizes)), addressesAndSizes);
    }

    private static long total(long... addressesAndSizes) {
        long total = 0;
        for (int i = 1; i < addressesAndSizes.length; i += 2) {
            total += addressesAndSizes[i];
        }
        return total;
    }

    /** Maps a file privately: what the guest writes does not go to the file. */
    public static GuestRam ofTemplate(Path file, long... addressesAndSizes) throws LinuxException {
        return of(SharedFile.openForReading(file), true, addressesAndSizes);
    }

    private static GuestRam of(SharedFile file, long[] layout) throws LinuxException {
        return of(file, false, layout);
    }

    private static GuestRam of(SharedFile file, boolean isTemplate, long[] layout) throws LinuxException {
        try {
            Mapping mapping = isTemplate ? Mapping.privateOf(file, 0, file.size()) : Mapping.of(file, 0, file.size());
            Region[] regions = new Region[layout.length / 2];
            long offset = 0;
            for (int i = 0; i < regions.length; i++) {
                long size = layout[2 * i + 1];
                regions[i] = new Region(layout[2 * i], size, mapping.segment().address() + offset, offset);
                offset += size;
            }
            Arrays.sort(regions, Comparator.comparingLong(Region::guestAddress));
            return new GuestRam(file, mapping, List.of(regions));
        } catch (LinuxException e) {
            file.close();
            throw e;
        }
    }

    /** The regions, by guest address. */
    public List<Region> regions() {
        return regions;
    }

    public SharedFile file() {
        return file;
    }

    /** The size of all regions in bytes. */
    public long size() {
        return mapping.segment().byteSize();
    }

    /** The host memory that the memfd occupies now, in bytes ({@code st_blocks}). */
    public long hostBytes() throws LinuxException {
        return file.allocatedBytes();
    }

    /**
     * Allocates memory for the guest itself, from the bottom up. It is freed only by {@link #releaseFrom}.
     *
     * @param alignment a power of two
     * @return its guest address
     */
    public long allocate(long size, long alignment) {
        long address = (nextFree + alignment - 1) & -alignment;
        bytes(address, size);
        nextFree = address + size;
        return address;
    }

    /** Like {@link #allocate}, filled with zeros. */
    public long allocateZeroed(long size, long alignment) {
        long address = allocate(size, alignment);
        fill(address, size, (byte) 0);
        return address;
    }

    /** Makes {@link #allocate} continue at an address, such as one in another region. */
    public void allocateFrom(long address) {
        nextFree = address;
    }

    /** Frees all that {@link #allocate} has handed out from an address on. */
    public void releaseFrom(long address) {
        nextFree = Math.min(nextFree, address);
    }

    /** The whole memory, by the offset in the file. */
    public MemorySegment contents() {
        return mapping.segment();
    }

    /** The lowest address that {@link #allocate} has not handed out, rounded up to a page. */
    public long firstFreePage() {
        return (nextFree + PAGE - 1) & -PAGE;
    }

    /** The front-end's own address of a guest address. */
    public long userAddress(long guestAddress) {
        Region region = regionOf(guestAddress);
        return region.userAddress() + (guestAddress - region.guestAddress());
    }

    /** A range inside one region. */
    public MemorySegment bytes(long guestAddress, long size) {
        Region region = regionOf(guestAddress);
        long inRegion = guestAddress - region.guestAddress();
        if (size > region.size() - inRegion) {
            throw new IndexOutOfBoundsException("0x" + Long.toHexString(guestAddress) + " and " + size
                    + " more bytes extend past the region at 0x" + Long.toHexString(region.guestAddress()));
        }
        return mapping.segment().asSlice(region.fileOffset() + inRegion, size);
    }

    private Region regionOf(long guestAddress) {
        for (Region region : regions) {
            if (Long.compareUnsigned(guestAddress - region.guestAddress(), region.size()) < 0) {
                return region;
            }
        }
        throw new IndexOutOfBoundsException("no guest memory at 0x" + Long.toHexString(guestAddress));
    }

    /** Writes every byte of a range, so that the host must allocate its memory. */
    public void fill(long guestAddress, long size, byte value) {
        bytes(guestAddress, size).fill(value);
    }

    public byte getByte(long guestAddress) {
        return bytes(guestAddress, 1).get(JAVA_BYTE, 0);
    }

    public void putByte(long guestAddress, int value) {
        bytes(guestAddress, 1).set(JAVA_BYTE, 0, (byte) value);
    }

    /** Reads an unsigned number. */
    public int getShort(long guestAddress) {
        return Short.toUnsignedInt(bytes(guestAddress, 2).get(LE_SHORT, 0));
    }

    public int getInt(long guestAddress) {
        return bytes(guestAddress, 4).get(LE_INT, 0);
    }

    public void putShort(long guestAddress, int value) {
        bytes(guestAddress, 2).set(LE_SHORT, 0, (short) value);
    }

    public void putInt(long guestAddress, int value) {
        bytes(guestAddress, 4).set(LE_INT, 0, value);
    }

    public void putLong(long guestAddress, long value) {
        bytes(guestAddress, 8).set(LE_LONG, 0, value);
    }

    @Override
    public void close() {
        mapping.close();
        file.close();
    }
}
