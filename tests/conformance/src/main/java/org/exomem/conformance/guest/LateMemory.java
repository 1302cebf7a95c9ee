package org.exomem.conformance.guest;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PageFaults;
import org.exomem.linux.PageGiver;
import org.exomem.linux.Poll;
import org.exomem.linux.Userfaultfd;
import org.jspecify.annotations.Nullable;

/**
 * The front-end's side of a post-copy migration at the destination host (spec/vhost-user.md, "Post-copy"). It has the
 * content of all pages, as if they were still on the other host. It places each page into guest memory once, on request
 * or when its turn comes. Pages are identified by their number in the memory's file.
 *
 * <p>The code that acts as the guest must not touch a page before {@link #require}. The messages are for one thread;
 * several threads may place pages.
 */
public final class LateMemory implements AutoCloseable {
    private static final Duration LOOK = Duration.ofMillis(5);
    private static final int TABLE_HEADER = 8;
    private static final int USER_ADDRESS = 16;

    private final GuestRam ram;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment content;
    private final int pages;
    private final BitSet given = new BitSet();
    private final BitSet asked = new BitSet();
    private final BitSet withheld = new BitSet();
    private final List<Integer> spoiled = new ArrayList<>();
    private final List<Mapped> mapped = new ArrayList<>();
    private @Nullable PageFaults faults;
    private @Nullable PageGiver giver;
    private @Nullable Thread source;
    private @Nullable IOException failure;
    private volatile boolean stopping;

    /** A region and the address at which the back-end has mapped it. */
    private record Mapped(Region region, long address) {
        boolean contains(long at) {
            return Long.compareUnsigned(at - address, region.size()) < 0;
        }

        boolean containsOffset(long offset) {
            return Long.compareUnsigned(offset - region.fileOffset(), region.size()) < 0;
        }
    }

    private LateMemory(GuestRam ram) {
        this.ram = ram;
        this.pages = (int) (ram.size() / GuestRam.PAGE);
        this.content = arena.allocate(ram.size(), GuestRam.PAGE);
    }

    /** Moves the content of a guest's memory into this object, so that no page is present. */
    public static LateMemory takenFrom(GuestRam ram) throws LinuxException {
        LateMemory memory = new LateMemory(ram);
        memory.content.copyFrom(ram.contents());
        ram.file().punchHole(0, ram.size());
        return memory;
    }

    // Messages

    /** Sends POSTCOPY_ADVISE. Returns the reply, whose descriptor is used from now on. */
    public Reply advise(FrontEnd frontEnd) throws IOException {
        frontEnd.send(Request.POSTCOPY_ADVISE, Connection.VERSION, Payload.none(), List.of());
        Reply reply = frontEnd.connection().receive();
        if (reply.fds().size() == 1) {
            if (faults != null) {
                faults.close();
            }
            Fd userfaultfd = reply.fds().getFirst();
            faults = new PageFaults(Userfaultfd.inUse(userfaultfd));
            giver = new PageGiver(userfaultfd);
        }
        return reply;
    }

    /** Sends POSTCOPY_LISTEN. */
    public void listen(FrontEnd frontEnd) throws IOException {
        frontEnd.command(Request.POSTCOPY_LISTEN, Payload.none());
    }

    /** Sends SET_MEM_TABLE with the whole memory, and the acknowledgement. */
    public void share(FrontEnd frontEnd) throws IOException {
        announce(frontEnd, ram.regions());
        acknowledge(frontEnd);
    }

    /** Sends SET_MEM_TABLE, and checks the reply: it must have the regions at other addresses. */
    public void announce(FrontEnd frontEnd, List<Region> regions) throws IOException {
        Fd file = ram.file().fd();
        frontEnd.send(
                Request.SET_MEM_TABLE,
                Connection.VERSION,
                Payload.regions(regions),
                regions.stream().map(region -> file).toList());
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(Fd::close);
        if (reply.request() != Request.SET_MEM_TABLE
                || reply.payload().length != TABLE_HEADER + regions.size() * Payload.REGION_SIZE) {
            throw new IOException("SET_MEM_TABLE was answered with a reply to request " + reply.request() + ", "
                    + reply.payload().length + " bytes");
        }
        synchronized (this) {
            mapped.clear();
            for (int i = 0; i < regions.size(); i++) {
                map(regions.get(i), reply, TABLE_HEADER + i * Payload.REGION_SIZE);
            }
        }
    }

    /** Sends ADD_MEM_REG, and checks the reply. */
    public void announceMore(FrontEnd frontEnd, Region region) throws IOException {
        announceMore(frontEnd, region, ram.file().fd());
    }

    /** The same with another file, of which no page is placed. */
    public void announceMore(FrontEnd frontEnd, Region region, Fd file) throws IOException {
        frontEnd.send(Request.ADD_MEM_REG, Connection.VERSION, Payload.region(region), List.of(file));
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(Fd::close);
        if (reply.request() != Request.ADD_MEM_REG || reply.payload().length != TABLE_HEADER + Payload.REGION_SIZE) {
            throw new IOException("ADD_MEM_REG was answered with a reply to request " + reply.request() + ", "
                    + reply.payload().length + " bytes");
        }
        synchronized (this) {
            map(region, reply, TABLE_HEADER);
        }
    }

    private void map(Region region, Reply reply, int at) throws IOException {
        long guestAddress = reply.buffer().getLong(at);
        long size = reply.buffer().getLong(at + Long.BYTES);
        if (guestAddress != region.guestAddress() || size != region.size()) {
            throw new IOException("a region at 0x" + Long.toHexString(region.guestAddress()) + " was returned as "
                    + Long.toHexString(guestAddress) + "+" + Long.toHexString(size));
        }
        mapped.add(new Mapped(region, reply.buffer().getLong(at + USER_ADDRESS)));
    }

    /** Sends the empty SET_MEM_TABLE that acknowledges where memory is mapped. */
    public void acknowledge(FrontEnd frontEnd) throws IOException {
        frontEnd.send(Request.SET_MEM_TABLE, Connection.VERSION, Payload.number(0), List.of());
    }

    /** Sends POSTCOPY_END. Returns the reply's number. */
    public long end(FrontEnd frontEnd) throws IOException {
        return frontEnd.ask(Request.POSTCOPY_END, Payload.none()).asLong();
    }

    // Pages

    /**
     * Starts a thread that places pages. Requested pages are placed late, with others in between, in an order that
     * depends on the seed.
     *
     * @param alsoUnasked whether also to place pages without a request, so that all pages arrive in the end
     */
    public void start(long seed, boolean alsoUnasked) {
        Thread thread = new Thread(() -> serve(new Random(seed), alsoUnasked), "late-memory");
        thread.setDaemon(true);
        source = thread;
        thread.start();
    }

    private void serve(Random random, boolean alsoUnasked) {
        PageFaults reader = faults();
        List<Integer> waiting = new ArrayList<>();
        try {
            while (!stopping) {
                takeFaults(reader, waiting);
                boolean late = random.nextInt(3) > 0;
                if (!waiting.isEmpty() && !late) {
                    give(waiting.remove(random.nextInt(waiting.size())));
                } else if (alsoUnasked && !isComplete()) {
                    giveNext(random.nextInt(pages));
                } else if (waiting.isEmpty()) {
                    Poll.readable(reader.fd(), LOOK);
                }
            }
        } catch (IOException e) {
            failure = e;
        }
    }

    private PageFaults faults() {
        PageFaults current = faults;
        if (current == null) {
            throw new IllegalStateException("POSTCOPY_ADVISE has returned no userfaultfd");
        }
        return current;
    }

    private synchronized void takeFaults(PageFaults reader, List<Integer> waiting) throws LinuxException {
        int count = reader.take();
        for (int i = 0; i < count; i++) {
            long address = reader.address(i);
            Mapped where = mapped.stream()
                    .filter(region -> region.contains(address))
                    .findFirst()
                    .orElseThrow(() -> new IllegalStateException(
                            "a fault at 0x" + Long.toHexString(address) + ", where the back-end reported no region"));
            int page = (int) ((where.region.fileOffset() + address - where.address) / GuestRam.PAGE);
            asked.set(page);
            if (!withheld.get(page)) {
                waiting.add(page);
            }
        }
    }

    /**
     * Reads the pending faults. Returns the number of pages requested so far. For a memory without a running thread.
     */
    public synchronized int lookForFaults() throws LinuxException {
        takeFaults(faults(), new ArrayList<>());
        return asked.cardinality();
    }

    private synchronized void giveNext(int from) throws IOException {
        BitSet closed = (BitSet) given.clone();
        closed.or(withheld);
        int page = closed.nextClearBit(from);
        give(page < pages ? page : closed.nextClearBit(0));
    }

    /** Places a page into guest memory, unless that was done before. */
    public synchronized void give(int page) throws IOException {
        if (page >= pages || given.get(page)) {
            return;
        }
        long offset = page * GuestRam.PAGE;
        for (Mapped where : mapped) {
            if (where.containsOffset(offset)) {
                given.set(page);
                long at = where.address + offset - where.region.fileOffset();
                put(page, at, offset);
                return;
            }
        }
        throw new IOException("page " + page + " is in no region");
    }

    private void put(int page, long at, long offset) throws IOException {
        PageGiver current = giver;
        if (current == null) {
            throw new IllegalStateException("POSTCOPY_ADVISE has returned no userfaultfd");
        }
        long result = current.copy(at, GuestRam.PAGE, content.address() + offset);
        if (result == -Errno.EEXIST) {
            spoiled.add(page);
            current.wake(at, GuestRam.PAGE);
        } else if (result != GuestRam.PAGE) {
            throw new IOException("page " + page + " could not be placed: " + result);
        }
    }

    /** Places the pages of a range of guest addresses that the guest is about to touch. */
    public void require(long guestAddress, long length) throws IOException {
        for (long at = guestAddress & -GuestRam.PAGE; at < guestAddress + length; at += GuestRam.PAGE) {
            give(page(at));
        }
    }

    /** The page at a guest address. */
    public int page(long guestAddress) {
        for (Region region : ram.regions()) {
            if (Long.compareUnsigned(guestAddress - region.guestAddress(), region.size()) < 0) {
                return (int) ((region.fileOffset() + guestAddress - region.guestAddress()) / GuestRam.PAGE);
            }
        }
        throw new IndexOutOfBoundsException("no guest memory at 0x" + Long.toHexString(guestAddress));
    }

    /** Never places the page at a guest address, even on request. */
    public synchronized void withhold(long guestAddress) {
        withheld.set(page(guestAddress));
    }

    /** Allows the page again. The thread places it at the next request, or when its turn comes. */
    public synchronized void release(long guestAddress) throws IOException {
        withheld.clear(page(guestAddress));
        give(page(guestAddress));
    }

    /** Places all pages that were not placed. */
    public synchronized void giveAll() throws IOException {
        for (int page = given.nextClearBit(0); page < pages; page = given.nextClearBit(page + 1)) {
            give(page);
        }
    }

    /** True if all pages are placed, except the withheld ones. */
    public synchronized boolean isComplete() {
        return given.cardinality() + withheld.cardinality() >= pages;
    }

    /** True if the page at a guest address was requested. */
    public synchronized boolean wasAsked(long guestAddress) {
        return asked.get(page(guestAddress));
    }

    /** The number of pages that were requested. */
    public synchronized int askedPages() {
        return asked.cardinality();
    }

    /** The pages that were present without being placed: something touched them too early. */
    public synchronized List<Integer> spoiledPages() {
        return List.copyOf(spoiled);
    }

    /** The content of a page as on the other host. */
    public MemorySegment content(long guestAddress) {
        return content.asSlice(page(guestAddress) * GuestRam.PAGE, GuestRam.PAGE)
                .asReadOnly();
    }

    /** The failure of the thread that places pages, or null. */
    public @Nullable IOException failure() {
        return failure;
    }

    /** Ends the thread. Pages that were not placed remain holes. */
    public void stop() {
        stopping = true;
        Thread thread = source;
        if (thread != null) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        source = null;
        stopping = false;
    }

    @Override
    public void close() {
        stop();
        if (faults != null) {
            faults.close();
        }
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
