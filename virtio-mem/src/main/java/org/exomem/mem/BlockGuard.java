package org.exomem.mem;

import java.util.List;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PageFaults;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * Keeps unplugged blocks from taking host memory for long (MEM-GUARD). A thread that touches one in the VMM's address space
 * waits for a page from this class. It receives zeros, and the page is taken back soon after. Used on the VM's event loop.
 *
 * <pre>
 *  unplugged, no page --read--> zeros to read --write--> told ---+
 *    ^   ^        |                |                             v
 *    |   |        +----write-------|----> told --(held)--> zeros to write
 *    |   +---- taken back ---------+                             |
 *    +-------- taken back ---------------------------------------+
 * </pre>
 *
 * <p>A page stays for at least {@link #LEAST_MILLIS}. If it were taken back at once, it could be gone before the processor
 * that touched it has used it, again and again.
 */
public final class BlockGuard implements AutoCloseable {
    /** The shortest time in ms that a page stays; {@link #takeBack} is to be called at this interval. */
    public static final long LEAST_MILLIS = 10;

    /** The most pages that unplugged blocks have at any time: 16 MiB (MEM-GUARD-5). */
    static final int MOST_PAGES = 4096;

    /**
     * The most runs of unplugged blocks. Each run splits the VMM's mappings, and the kernel allows 65530 of them
     * (MEM-GUARD-8).
     */
    static final long MOST_RUNS = 4096;

    /** The pages taken back in one step of the event loop. */
    private static final int AT_ONCE = 1024;

    private static final long PAGE = SharedFile.SMALL_PAGE;

    /**
     * A part of the guest's memory in the VMM's address space.
     *
     * @param guestAddress guest-physical address of the first byte
     * @param vmmAddress address of the same byte in the VMM's address space
     * @param length in bytes
     */
    public record Stretch(long guestAddress, long vmmAddress, long length) {}

    /** Receives touches of unplugged blocks, on the VM's event loop. */
    public interface Listener {
        /**
         * An unplugged block was read.
         *
         * @param guestAddress the touched address
         */
        void read(long guestAddress);

        /**
         * An unplugged block was written; the data written is lost.
         *
         * @param guestAddress the touched address
         * @return true to hold the writing thread until {@link BlockGuard#goOn}
         */
        boolean written(long guestAddress);

        /**
         * Nothing is guarded any more.
         *
         * @param why the reason; EBUSY if another userfaultfd has a part of the memory
         */
        void failed(LinuxException why);
    }

    private final PageFaults faults;
    private final List<Stretch> stretches;
    private final MemoryRegionPlan plan;
    private final BlockMap blocks;
    private final Listener listener;
    /** Guest addresses of the pages given, as a ring. */
    private final long[] given = new long[MOST_PAGES];

    private long firstGiven;
    private long endGiven;
    /** Pages before this index were given before the last {@link #takeBack}. */
    private long oldGiven;

    /** Addresses in the VMM of the held touches; negative where the page is there, write-protected. */
    private final long[] held = new long[MOST_PAGES];

    private int heldCount;
    private long changesSinceCount;
    private boolean standing;

    /**
     * Guards nothing until {@link #begin}.
     *
     * @param faults of the VMM's address space; owned from now on
     * @param stretches where the VMM has the device's region; a guest address may be in several
     * @param device whose unplugged blocks are guarded
     */
    public BlockGuard(PageFaults faults, List<Stretch> stretches, VirtioMem device, Listener listener) {
        this(faults, stretches, device.plan(), device.blocks(), listener);
    }

    BlockGuard(PageFaults faults, List<Stretch> stretches, MemoryRegionPlan plan, BlockMap blocks, Listener listener) {
        this.faults = faults;
        this.stretches = List.copyOf(stretches);
        this.plan = plan;
        this.blocks = blocks;
        this.listener = listener;
    }

    /** True from {@link #begin} until a failure or the end. */
    public boolean isStanding() {
        return standing;
    }

    /**
     * Guards all blocks that are unplugged now, and no others. Touches that an earlier process did not answer are repeated.
     *
     * @throws LinuxException if that is not possible; nothing is guarded then
     */
    void begin() throws LinuxException {
        standing = true;
        try {
            followBlocks();
            for (Stretch stretch : stretches) {
                faults.wake(stretch.vmmAddress(), stretch.length());
            }
        } catch (LinuxException e) {
            end();
            throw e;
        }
    }

    private void followBlocks() throws LinuxException {
        countRuns();
        blocks.<LinuxException>forEachRun(true, blocks.blocks(), (first, count) -> unregister(first, count));
        blocks.<LinuxException>forEachRun(false, blocks.blocks(), (first, count) -> register(first, count));
    }

    /** Guards the unplugged blocks and no others, after changes whose single blocks are not known. */
    void follow() {
        attempt(this::followBlocks);
    }

    /** Guards blocks, before they are unplugged (MEM-GUARD-2). */
    void enter(long first, long count) {
        attempt(() -> {
            countChange();
            register(first, count);
        });
    }

    /** Stops guarding blocks, before the driver is told that they are plugged (MEM-GUARD-3). */
    void leave(long first, long count) {
        attempt(() -> {
            countChange();
            unregister(first, count);
        });
    }

    @FunctionalInterface
    private interface Change {
        void make() throws LinuxException;
    }

    private void attempt(Change change) {
        if (standing) {
            try {
                change.make();
            } catch (LinuxException e) {
                fail(e);
            }
        }
    }

    private void fail(LinuxException e) {
        if (standing) {
            end();
            listener.failed(e);
        }
    }

    /** Counts the runs from time to time: one change adds at most one run. */
    private void countChange() throws LinuxException {
        if (++changesSinceCount > MOST_RUNS / 2) {
            countRuns();
        }
    }

    private void countRuns() throws LinuxException {
        changesSinceCount = 0;
        long runs = 0;
        for (long at = blocks.next(0, blocks.blocks(), false); at < blocks.blocks(); runs++) {
            at = blocks.next(blocks.next(at, blocks.blocks(), true), blocks.blocks(), false);
        }
        if (runs > MOST_RUNS / 2) {
            throw new LinuxException(
                    "guarding",
                    "unplugged blocks",
                    Errno.ENOMEM,
                    "they form more than " + MOST_RUNS / 2 + " separate ranges");
        }
    }

    private void register(long first, long count) throws LinuxException {
        for (int i = 0; i < stretches.size(); i++) {
            long from = from(i, first);
            long length = length(i, first, count);
            if (length > 0) {
                faults.register(from, length);
            }
        }
    }

    private void unregister(long first, long count) throws LinuxException {
        for (int i = 0; i < stretches.size(); i++) {
            long from = from(i, first);
            long length = length(i, first, count);
            if (length > 0) {
                faults.unregister(from, length);
            }
        }
    }

    /** The first byte of the blocks within a stretch, as an address in the VMM. */
    private long from(int index, long first) {
        Stretch stretch = stretches.get(index);
        long address = plan.address() + first * plan.blockSize();
        return stretch.vmmAddress() + Math.max(0, address - stretch.guestAddress());
    }

    /** The bytes of the blocks within a stretch; 0 or less if there are none. */
    private long length(int index, long first, long count) {
        Stretch stretch = stretches.get(index);
        long address = plan.address() + first * plan.blockSize();
        long end = Math.min(address + count * plan.blockSize(), stretch.guestAddress() + stretch.length());
        return end - Math.max(address, stretch.guestAddress());
    }

    /** Readable while a thread waits. Remains the guard's. */
    public Fd fd() {
        return faults.fd();
    }

    /** Answers one batch of touches; more may be waiting. */
    void serve(GuestMemory memory) {
        try {
            int touches = standing ? faults.take() : 0;
            for (int i = 0; i < touches; i++) {
                long address = faults.address(i);
                if (address != 0) {
                    serve(memory, address, faults.isWrite(i), faults.isWriteProtected(i));
                }
            }
        } catch (LinuxException e) {
            fail(e);
        }
    }

    private void serve(GuestMemory memory, long address, boolean write, boolean present) throws LinuxException {
        long guestAddress = guestAddress(address);
        boolean unplugged = isUnplugged(guestAddress);
        if (unplugged && !write) {
            listener.read(guestAddress);
            note(memory, guestAddress);
            faults.giveZerosToRead(address);
            return;
        }
        if (unplugged && listener.written(guestAddress) && heldCount < held.length) {
            held[heldCount++] = present ? -address : address;
            return;
        }
        give(memory, address, present);
    }

    /** A block that is not unplugged may still be registered for a moment, while it is being unplugged. */
    private void give(GuestMemory memory, long address, boolean present) throws LinuxException {
        if (present) {
            faults.allowWrite(address);
        } else {
            note(memory, guestAddress(address));
            faults.giveZeros(address);
        }
    }

    /** Lets all held threads continue. */
    void goOn(GuestMemory memory) {
        int count = heldCount;
        heldCount = 0;
        try {
            for (int i = 0; i < count && standing; i++) {
                give(memory, Math.abs(held[i]), held[i] < 0);
            }
        } catch (LinuxException e) {
            fail(e);
        }
    }

    /** The guest address of an address in the VMM; -1 if it is not in the device's region. */
    private long guestAddress(long address) {
        for (int i = 0; i < stretches.size(); i++) {
            Stretch stretch = stretches.get(i);
            if (Long.compareUnsigned(address - stretch.vmmAddress(), stretch.length()) < 0) {
                return stretch.guestAddress() + address - stretch.vmmAddress();
            }
        }
        return -1;
    }

    private boolean isUnplugged(long guestAddress) {
        long offset = guestAddress - plan.address();
        return guestAddress >= 0
                && offset >= 0
                && offset < plan.size()
                && blocks.state(offset / plan.blockSize(), 1) == BlockMap.State.UNPLUGGED;
    }

    private void note(GuestMemory memory, long guestAddress) throws LinuxException {
        if (endGiven - firstGiven == MOST_PAGES) {
            takeBack(memory, firstGiven + AT_ONCE);
        }
        given[(int) (endGiven++ % MOST_PAGES)] = guestAddress & -PAGE;
    }

    /**
     * Takes back the pages that were given before the previous call.
     *
     * @return true if it is to be called again after {@link #LEAST_MILLIS} ms
     */
    boolean takeBack(GuestMemory memory) {
        try {
            takeBack(memory, Math.min(oldGiven, firstGiven + AT_ONCE));
            if (firstGiven >= oldGiven) {
                oldGiven = endGiven;
            }
        } catch (LinuxException e) {
            fail(e);
        }
        return standing && firstGiven < endGiven;
    }

    /** Pages given one after the other are often neighbours. */
    private void takeBack(GuestMemory memory, long end) throws LinuxException {
        while (firstGiven < end) {
            long from = given[(int) (firstGiven++ % MOST_PAGES)];
            long to = from + PAGE;
            boolean unplugged = isUnplugged(from);
            while (unplugged && firstGiven < end && given[(int) (firstGiven % MOST_PAGES)] == to && isUnplugged(to)) {
                to += PAGE;
                firstGiven++;
            }
            // A block that was plugged meanwhile belongs to the guest (MEM-BLK-1).
            if (unplugged) {
                punch(memory, from, to);
            }
        }
    }

    private static void punch(GuestMemory memory, long from, long to) throws LinuxException {
        long at = from;
        while (at < to) {
            MemoryRegion region = memory.find(at);
            if (region == null) {
                // No longer shared: it is emptied when it is shared again (MEM-BLK-6).
                return;
            }
            long inRegion = at - region.guestAddress();
            long length = Math.min(to - at, region.size() - inRegion);
            region.file().punchHole(region.fileOffset() + inRegion, length);
            at += length;
        }
    }

    /** Forgets the pages given to blocks that get memory of their own. */
    void forget(long first, long count) {
        long from = plan.address() + first * plan.blockSize();
        for (long i = firstGiven; i < endGiven; i++) {
            int index = (int) (i % MOST_PAGES);
            if (Long.compareUnsigned(given[index] - from, count * plan.blockSize()) < 0) {
                given[index] = -PAGE;
            }
        }
    }

    /** Stops guarding; no thread waits after that. */
    private void end() {
        standing = false;
        heldCount = 0;
        for (Stretch stretch : stretches) {
            try {
                faults.unregister(stretch.vmmAddress(), stretch.length());
            } catch (LinuxException e) {
                // The VMM has ended or unmapped it, so no thread waits there.
            }
        }
    }

    /** Stops guarding and closes the faults. */
    @Override
    public void close() {
        if (standing) {
            end();
        }
        faults.close();
    }
}
