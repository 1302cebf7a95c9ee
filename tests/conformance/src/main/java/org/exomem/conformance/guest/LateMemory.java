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
 * The front-end's side of a post-copy migration at the host that the VM comes to (spec/vhost-user.md, "Post-copy"): it has the content of
 * all pages, as if it were still at the other host, and puts each into guest memory once, when it is asked for or when its
 * turn comes. Pages are named by their number in the memory's file.
 *
 * <p>Whoever plays the guest touches no page before {@link #require}. The messages are for one thread; pages may be given from several.
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

    /** Where the back-end has mapped a region. */
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

    /** Takes the content of a guest's memory out of it, so that no page is there. */
    public static LateMemory takenFrom(GuestRam ram) throws LinuxException {
        LateMemory memory = new LateMemory(ram);
        memory.content.copyFrom(ram.contents());
        ram.file().punchHole(0, ram.size());
        return memory;
    }

    // Messages

    /** POSTCOPY_ADVISE; returns the reply, whose descriptor is used from now on. */
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

    /** POSTCOPY_LISTEN. */
    public void listen(FrontEnd frontEnd) throws IOException {
        frontEnd.command(Request.POSTCOPY_LISTEN, Payload.none());
    }

    /** SET_MEM_TABLE with all of the memory, and what follows of it. */
    public void share(FrontEnd frontEnd) throws IOException {
        announce(frontEnd, ram.regions());
        acknowledge(frontEnd);
    }

    /** SET_MEM_TABLE, up to its reply, which is looked at: it has the regions, elsewhere. */
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
            throw new IOException("SET_MEM_TABLE was answered with request " + reply.request() + ", "
                    + reply.payload().length + " bytes");
        }
        synchronized (this) {
            mapped.clear();
            for (int i = 0; i < regions.size(); i++) {
                map(regions.get(i), reply, TABLE_HEADER + i * Payload.REGION_SIZE);
            }
        }
    }

    /** ADD_MEM_REG, up to its reply. */
    public void announceMore(FrontEnd frontEnd, Region region) throws IOException {
        announceMore(frontEnd, region, ram.file().fd());
    }

    /** The same with another file, of which no page is given. */
    public void announceMore(FrontEnd frontEnd, Region region, Fd file) throws IOException {
        frontEnd.send(Request.ADD_MEM_REG, Connection.VERSION, Payload.region(region), List.of(file));
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(Fd::close);
        if (reply.request() != Request.ADD_MEM_REG || reply.payload().length != TABLE_HEADER + Payload.REGION_SIZE) {
            throw new IOException("ADD_MEM_REG was answered with request " + reply.request() + ", "
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
            throw new IOException("a region at 0x" + Long.toHexString(region.guestAddress()) + " came back as "
                    + Long.toHexString(guestAddress) + "+" + Long.toHexString(size));
        }
        mapped.add(new Mapped(region, reply.buffer().getLong(at + USER_ADDRESS)));
    }

    /** The empty SET_MEM_TABLE that acknowledges where memory is mapped. */
    public void acknowledge(FrontEnd frontEnd) throws IOException {
        frontEnd.send(Request.SET_MEM_TABLE, Connection.VERSION, Payload.number(0), List.of());
    }

    /** POSTCOPY_END; returns the reply's number. */
    public long end(FrontEnd frontEnd) throws IOException {
        return frontEnd.ask(Request.POSTCOPY_END, Payload.none()).asLong();
    }

    // Pages

    /**
     * From now on a thread gives pages: those that were asked for late, others in between, in an order that the seed decides.
     *
     * @param alsoUnasked also what nobody asks for, so that all pages come in the end
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
            throw new IllegalStateException("POSTCOPY_ADVISE has brought no userfaultfd");
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
                            "a fault at 0x" + Long.toHexString(address) + ", where no region was said to be"));
            int page = (int) ((where.region.fileOffset() + address - where.address) / GuestRam.PAGE);
            asked.set(page);
            if (!withheld.get(page)) {
                waiting.add(page);
            }
        }
    }

    /** Takes the faults that are there; returns how many pages were asked for by now. For a memory whose thread does not run. */
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

    /** Puts a page into guest memory, unless it was put there before. */
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
            throw new IllegalStateException("POSTCOPY_ADVISE has brought no userfaultfd");
        }
        long result = current.copy(at, GuestRam.PAGE, content.address() + offset);
        if (result == -Errno.EEXIST) {
            spoiled.add(page);
            current.wake(at, GuestRam.PAGE);
        } else if (result != GuestRam.PAGE) {
            throw new IOException("page " + page + " could not be given: " + result);
        }
    }

    /** Gives the pages of a range of guest addresses, as the guest is about to touch them. */
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

    /** Never gives the page at a guest address, whoever asks. */
    public synchronized void withhold(long guestAddress) {
        withheld.set(page(guestAddress));
    }

    /** Gives the page from now on; the thread gives it when it is asked for anew or its turn comes. */
    public synchronized void release(long guestAddress) throws IOException {
        withheld.clear(page(guestAddress));
        give(page(guestAddress));
    }

    /** Gives all pages that were not given. */
    public synchronized void giveAll() throws IOException {
        for (int page = given.nextClearBit(0); page < pages; page = given.nextClearBit(page + 1)) {
            give(page);
        }
    }

    /** True if all pages have been given, but for those that are withheld. */
    public synchronized boolean isComplete() {
        return given.cardinality() + withheld.cardinality() >= pages;
    }

    /** True if the page at a guest address was asked for. */
    public synchronized boolean wasAsked(long guestAddress) {
        return asked.get(page(guestAddress));
    }

    /** How many pages were asked for. */
    public synchronized int askedPages() {
        return asked.cardinality();
    }

    /** The pages that were there though nobody had given them: somebody touched them too early. */
    public synchronized List<Integer> spoiledPages() {
        return List.copyOf(spoiled);
    }

    /** The content of a page as it came from the other host. */
    public MemorySegment content(long guestAddress) {
        return content.asSlice(page(guestAddress) * GuestRam.PAGE, GuestRam.PAGE)
                .asReadOnly();
    }

    /** What went wrong in the thread that gives pages, or null. */
    public @Nullable IOException failure() {
        return failure;
    }

    /** Ends the thread; pages that were not given stay holes. */
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
