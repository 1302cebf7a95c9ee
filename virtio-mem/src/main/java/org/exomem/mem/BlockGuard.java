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
 * Keeps unplugged blocks from becoming memory (MEM-GUARD): whoever touches one in the address space of the VMM waits for a page
 * from here. It is given zeros, which are taken back soon after. Belongs to the event loop of the VM.
 *
 * <pre>
 *  unplugged, no page --read--> zeros to read --write--> told ---+
 *    ^   ^        |                |                             v
 *    |   |        +----write-------|----> told --(held)--> zeros to write
 *    |   +---- taken back ---------+                             |
 *    +-------- taken back ---------------------------------------+
 * </pre>
 *
 * <p>A page stays for at least {@link #LEAST_MILLIS}, as a page that were taken back at once could be gone before the processor
 * that asked for it has used it, again and again.
 */
public final class BlockGuard implements AutoCloseable {
    /** How long a page stays at least before it is taken back; {@link #takeBack} is to be called so often. */
    public static final long LEAST_MILLIS = 10;

    /** The most pages that unplugged blocks may have at any time: 16 MiB (MEM-GUARD-5). */
    static final int MOST_PAGES = 4096;

    /** The most runs of unplugged blocks: each splits the VMM's mappings, of which the kernel allows 65530 (MEM-GUARD-8). */
    static final long MOST_RUNS = 4096;

    /** Pages that are taken back in one step of the event loop. */
    private static final int AT_ONCE = 1024;

    private static final long PAGE = SharedFile.SMALL_PAGE;

    /**
     * Where the VMM has a part of the guest's memory.
     *
     * @param guestAddress of the first byte
     * @param vmmAddress of the same byte in the VMM's address space
     * @param length bytes
     */
    public record Stretch(long guestAddress, long vmmAddress, long length) {}

    /** Is told of touches, on the event loop. */
    public interface Listener {
        /**
         * An unplugged block is read.
         *
         * @param guestAddress that was touched
         */
        void read(long guestAddress);

        /**
         * An unplugged block is written; what is written is lost.
         *
         * @param guestAddress that was touched
         * @return true to have whoever writes wait until {@link BlockGuard#goOn}
         */
        boolean written(long guestAddress);

        /**
         * Nothing is guarded any more.
         *
         * @param why EBUSY if another userfaultfd has a part of the memory
         */
        void failed(LinuxException why);
    }

    private final PageFaults faults;
    private final List<Stretch> stretches;
    private final MemoryRegionPlan plan;
    private final BlockMap blocks;
    private final Listener listener;
    /** Guest addresses of the pages that were given, in a ring. */
    private final long[] given = new long[MOST_PAGES];

    private long firstGiven;
    private long endGiven;
    /** Pages before this one were given before the last {@link #takeBack}. */
    private long oldGiven;

    /** Addresses in the VMM of the touches that are held. */
    private final long[] held = new long[MOST_PAGES];

    private int heldCount;
    private long changesSinceCount;
    private boolean standing;

    /**
     * Guards nothing until {@link #begin}.
     *
     * @param faults of the VMM's address space; owned from now on
     * @param stretches where that has the region of the device; may be several for the same guest address
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

    /** True while it guards. */
    public boolean isStanding() {
        return standing;
    }

    /**
     * Guards all blocks that are unplugged now, and no others. Touches that an earlier process did not answer come again.
     *
     * @throws LinuxException if that can't be done; nothing is guarded then
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

    /** Guards the unplugged blocks and no others, after changes that are not known one by one. */
    void follow() {
        attempt(this::followBlocks);
    }

    /** Guards blocks: before they are unplugged (MEM-GUARD-2). */
    void enter(long first, long count) {
        attempt(() -> {
            countChange();
            register(first, count);
        });
    }

    /** Guards blocks no more: before the driver hears that they are plugged (MEM-GUARD-3). */
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

    /** A change makes one run more at most. */
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
                    "guarding", "unplugged blocks", Errno.ENOMEM, "they lie in more than " + MOST_RUNS / 2 + " pieces");
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

    /** The first byte of blocks that lies in a stretch, as the VMM addresses it. */
    private long from(int index, long first) {
        Stretch stretch = stretches.get(index);
        long address = plan.address() + first * plan.blockSize();
        return stretch.vmmAddress() + Math.max(0, address - stretch.guestAddress());
    }

    /** The bytes of blocks that lie in a stretch; 0 or less for none. */
    private long length(int index, long first, long count) {
        Stretch stretch = stretches.get(index);
        long address = plan.address() + first * plan.blockSize();
        long end = Math.min(address + count * plan.blockSize(), stretch.guestAddress() + stretch.length());
        return end - Math.max(address, stretch.guestAddress());
    }

    /** Readable when somebody waits. */
    public Fd fd() {
        return faults.fd();
    }

    /** Answers touches, a batch of them; there may be more. */
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

    /** Lets everybody go on who was held. */
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

    /** -1 if it is not the device's. */
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
     * Takes back the pages that were given before the last time that this was called.
     *
     * @return true if it is to be called again after {@link #LEAST_MILLIS}
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

    /** Pages that were given one after the other often lie side by side. */
    private void takeBack(GuestMemory memory, long end) throws LinuxException {
        while (firstGiven < end) {
            long from = given[(int) (firstGiven++ % MOST_PAGES)];
            long to = from + PAGE;
            boolean unplugged = isUnplugged(from);
            while (unplugged && firstGiven < end && given[(int) (firstGiven % MOST_PAGES)] == to && isUnplugged(to)) {
                to += PAGE;
                firstGiven++;
            }
            // A block that was plugged meanwhile is the guest's (MEM-BLK-1).
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
                // Not shared any more: it is emptied when it is shared again (MEM-BLK-6).
                return;
            }
            long inRegion = at - region.guestAddress();
            long length = Math.min(to - at, region.size() - inRegion);
            region.file().punchHole(region.fileOffset() + inRegion, length);
            at += length;
        }
    }

    /** Forgets pages that were given to blocks that get memory of their own. */
    void forget(long first, long count) {
        long from = plan.address() + first * plan.blockSize();
        for (long i = firstGiven; i < endGiven; i++) {
            int index = (int) (i % MOST_PAGES);
            if (Long.compareUnsigned(given[index] - from, count * plan.blockSize()) < 0) {
                given[index] = -PAGE;
            }
        }
    }

    /** Nothing is guarded any more, and nobody waits. */
    private void end() {
        standing = false;
        heldCount = 0;
        for (Stretch stretch : stretches) {
            try {
                faults.unregister(stretch.vmmAddress(), stretch.length());
            } catch (LinuxException e) {
                // The VMM has ended, or has unmapped it: nobody waits there.
            }
        }
    }

    /** Guards nothing any more. */
    @Override
    public void close() {
        if (standing) {
            end();
        }
        faults.close();
    }
}
