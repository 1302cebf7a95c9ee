package org.exomem.conformance.guest;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * The guest's side of a balloon (spec/balloon.md). It does not know which guest pages are in use: its caller says which
 * ranges to put into the balloon, to hint or to report. All ranges are guest addresses in bytes, multiples of 4096.
 */
public final class BalloonDriver implements AutoCloseable {
    /** The largest number of page numbers in one buffer, as in Linux (BAL-INF-2). */
    public static final int PFNS_PER_BUFFER = 256;

    /** Reserved command ids that begin no session (BAL-HINT-1). */
    public static final int STOP = 0;

    public static final int DONE = 1;
    private static final int CONFIG_SIZE = 16;
    private static final int STATISTIC_SIZE = 10;
    private static final int MOST_STATISTICS = 32;
    private static final int QUEUE_SIZE = 128;
    private static final int REPORTING_QUEUE_SIZE = 32;
    /** The largest number of pages in one chunk of a free page bitmap that this driver sends. */
    public static final int MOST_CHUNK_PAGES = 1 << 15;

    private static final long REQUEST_SIZE = 4096;
    private static final int WANTED_SIZE = 4;
    private static final int REQUEST_HEADER = 24;
    private static final int CHUNK_HEADER = 32;
    private static final int DESCRIPTORS_TYPE = 1;
    private static final int DESCRIPTORS_HEADER = 32;
    private static final int GUARD_SIZE = 16;
    private static final int RANGE_SIZE = 32;

    private final AttachedDevice device;
    private final GuestRam ram;
    private final Duration limit;
    private final RingDriver inflate;
    private final RingDriver deflate;
    private final @Nullable RingDriver statistics;
    private final @Nullable RingDriver freePages;
    private final @Nullable RingDriver reporting;
    private final @Nullable RingDriver bitmaps;
    private final long pfns;
    private final long statisticsBuffer;
    private final long command;
    private final long request;
    private final long wanted;
    private final long chunk;
    private int actual;

    private BalloonDriver(AttachedDevice device, Duration limit) throws IOException {
        this.device = device;
        this.limit = limit;
        this.ram = device.ram();
        // Queues are numbered without gaps, depending on the negotiated features (BAL-Q-2).
        int queue = 0;
        this.inflate = device.addRing(queue++, QUEUE_SIZE);
        this.deflate = device.addRing(queue++, QUEUE_SIZE);
        this.statistics = has(BalloonFeatures.STATS_VQ) ? device.addRing(queue++, QUEUE_SIZE) : null;
        this.freePages = has(BalloonFeatures.FREE_PAGE_HINT) ? device.addRing(queue++, QUEUE_SIZE) : null;
        this.reporting = has(BalloonFeatures.PAGE_REPORTING) ? device.addRing(queue++, REPORTING_QUEUE_SIZE) : null;
        this.bitmaps = has(BalloonFeatures.FREE_PAGE_BITMAP) ? device.addRing(queue, QUEUE_SIZE) : null;
        this.pfns = ram.allocate(4L * PFNS_PER_BUFFER, 4);
        this.statisticsBuffer = ram.allocate((long) MOST_STATISTICS * STATISTIC_SIZE, 8);
        this.command = ram.allocate(4, 4);
        this.request = bitmaps == null ? 0 : ram.allocate(REQUEST_SIZE, 8);
        this.wanted = bitmaps == null ? 0 : ram.allocate(WANTED_SIZE, 4);
        this.chunk = bitmaps == null ? 0 : ram.allocate(CHUNK_HEADER + MOST_CHUNK_PAGES / Byte.SIZE, 8);
    }

    /** Creates the driver of a device that is attached and whose rings run. */
    public static BalloonDriver start(AttachedDevice device) throws IOException {
        return start(device, FrontEnd.LIMIT);
    }

    /**
     * Like {@link #start(AttachedDevice)}.
     *
     * @param limit the longest time to wait for a buffer
     */
    public static BalloonDriver start(AttachedDevice device, Duration limit) throws IOException {
        BalloonDriver driver = new BalloonDriver(device, limit);
        device.start();
        return driver;
    }

    private boolean has(long feature) {
        return (device.features() & feature) != 0;
    }

    public AttachedDevice device() {
        return device;
    }

    // Config space

    /** The size of the balloon that the device wants, in 4 KiB pages. */
    public long numPages() throws IOException {
        return Integer.toUnsignedLong(config(0));
    }

    /** The present command id of free page hinting. */
    public int commandId() throws IOException {
        return config(8);
    }

    private int config(int offset) throws IOException {
        return ByteBuffer.wrap(device.frontEnd().getConfig(offset, 4))
                .order(ByteOrder.LITTLE_ENDIAN)
                .getInt();
    }

    /** Waits for a notification that the config space has changed. */
    public void awaitConfigChange() throws IOException {
        device.channel().await(Request.BackEnd.CONFIG_CHANGE);
    }

    /** The number of pages that this driver has reported in the balloon. */
    public int actual() {
        return actual;
    }

    /**
     * Reports the size of the balloon to the device, in 4 KiB pages. As QEMU's generic device does, it writes the whole
     * config space back, with the other fields as they were read (BAL-CFG-4).
     */
    public void writeActual(int pages) throws IOException {
        writeBack(4, pages);
        actual = pages;
    }

    /** Reports to the device the value that the guest writes into free pages (BAL-POI-1). */
    public void writePoison(int value) throws IOException {
        writeBack(12, value);
    }

    private void writeBack(int offset, int value) throws IOException {
        byte[] config = device.frontEnd().getConfig(0, CONFIG_SIZE);
        ByteBuffer.wrap(config).order(ByteOrder.LITTLE_ENDIAN).putInt(offset, value);
        device.frontEnd().setConfig(0, config);
    }

    // Inflating and deflating

    /**
     * Puts a range into the balloon, and waits until the device has used the request. Does not write {@code actual}.
     */
    public void inflate(long address, long length) throws IOException {
        tell(inflate, address, length);
    }

    /**
     * Takes a range out of the balloon, and waits until the device has used the request. Does not write {@code actual}.
     */
    public void deflate(long address, long length) throws IOException {
        tell(deflate, address, length);
    }

    private void tell(RingDriver ring, long address, long length) throws IOException {
        long page = address / GuestRam.PAGE;
        long rest = length / GuestRam.PAGE;
        while (rest > 0) {
            int count = (int) Math.min(rest, PFNS_PER_BUFFER);
            for (int i = 0; i < count; i++) {
                ram.putInt(pfns + 4L * i, (int) (page + i));
            }
            ring.transfer(List.of(Buffer.readable(pfns, 4L * count)), limit);
            page += count;
            rest -= count;
        }
    }

    /** Puts single pages, by number, into the balloon; at most {@link #PFNS_PER_BUFFER}. */
    public void inflatePages(int... pageNumbers) throws IOException {
        tellPages(inflate, pageNumbers);
    }

    /** Takes single pages, by number, out of the balloon; at most {@link #PFNS_PER_BUFFER}. */
    public void deflatePages(int... pageNumbers) throws IOException {
        tellPages(deflate, pageNumbers);
    }

    private void tellPages(RingDriver ring, int[] pageNumbers) throws IOException {
        for (int i = 0; i < pageNumbers.length; i++) {
            ram.putInt(pfns + 4L * i, pageNumbers[i]);
        }
        ring.transfer(List.of(Buffer.readable(pfns, 4L * pageNumbers.length)), limit);
    }

    // Statistics

    /** Makes a buffer of statistics available: tag to value. Only one may be available at a time (BAL-STAT-2). */
    public void offerStatistics(Map<Integer, Long> values) {
        long at = statisticsBuffer;
        for (Map.Entry<Integer, Long> value : values.entrySet()) {
            ram.putShort(at, value.getKey());
            ram.putLong(at + 2, value.getValue());
            at += STATISTIC_SIZE;
        }
        RingDriver ring = required(statistics);
        ring.add(List.of(Buffer.readable(statisticsBuffer, (long) values.size() * STATISTIC_SIZE)));
        ring.kick();
    }

    /** Waits until the device returns the buffer, which asks for new values. */
    public void awaitStatisticsRequest() throws IOException {
        required(statistics).await(limit);
    }

    /** A descriptor that becomes readable when the device returns the buffer; null if there is no statistics queue. */
    public @Nullable Fd statisticsCall() {
        return statistics == null ? null : statistics.callFd().fd();
    }

    /** Like {@link #awaitStatisticsRequest}, but does not wait. */
    public boolean statisticsAreRequested() {
        RingDriver ring = required(statistics);
        ring.callFd().drain();
        if (ring.poll() != null) {
            return true;
        }
        ring.resumeCalls();
        return ring.poll() != null;
    }

    // Free page hinting

    /**
     * Waits until the device shows the command id of a new session, and begins that session.
     *
     * @return the id
     */
    public int beginHinting() throws IOException {
        int id = commandId();
        while (id == STOP || id == DONE) {
            awaitConfigChange();
            id = commandId();
        }
        sendCommand(id);
        return id;
    }

    /** Hints a range as free, in blocks of the given size. Waits until the device has used the hints. */
    public void hint(long address, long length, long block) throws IOException {
        List<Buffer> blocks = new ArrayList<>();
        for (long at = 0; at < length; at += block) {
            blocks.add(Buffer.writable(address + at, Math.min(block, length - at)));
        }
        hint(blocks);
    }

    /** Hints blocks as free. Waits until the device has used the hints. */
    public void hint(List<Buffer> blocks) throws IOException {
        RingDriver ring = required(freePages);
        for (Buffer block : blocks) {
            while (ring.free() < 2) {
                ring.await(limit);
            }
            ring.add(List.of(block));
            ring.kick();
        }
        while (ring.outstanding() > 0) {
            ring.await(limit);
        }
    }

    /** Reports to the device that there are no more hints. */
    public void endHinting() throws IOException {
        sendCommand(STOP);
    }

    /** Sends any command id, and waits until the device has read it. */
    public void sendCommand(int id) throws IOException {
        ram.putInt(command, id);
        required(freePages).transfer(List.of(Buffer.readable(command, 4)), limit);
    }

    /** Waits for the device to show a certain command id. Reads the config space again at each change. */
    public void awaitCommand(int id) throws IOException {
        long end = System.nanoTime() + limit.toNanos();
        while (commandId() != id) {
            if (System.nanoTime() - end > 0) {
                throw new SocketTimeoutException("the device did not set command id " + id);
            }
            awaitConfigChange();
        }
    }

    // Reporting

    /** Reports ranges as free, in chains of up to 32 blocks, and waits until the device has used them. */
    public void report(long address, long length, long block) throws IOException {
        RingDriver ring = required(reporting);
        List<Buffer> chain = new ArrayList<>();
        for (long at = 0; at < length; at += block) {
            chain.add(Buffer.writable(address + at, Math.min(block, length - at)));
            if (chain.size() == REPORTING_QUEUE_SIZE || at + block >= length) {
                ring.transfer(List.copyOf(chain), limit);
                chain.clear();
            }
        }
    }

    // Free page bitmaps

    /** Makes the request buffer available (FPB-REQ-1). */
    public void offerRequestBuffer() {
        RingDriver ring = required(bitmaps);
        ring.add(List.of(Buffer.writable(request, REQUEST_SIZE)));
        ring.kick();
    }

    /** Waits until the device requests free pages. Returns the request's id. The driver then has the request buffer. */
    public int awaitFreePagesRequest() throws IOException {
        while (true) {
            OptionalInt id = request(required(bitmaps).await(limit));
            if (id.isPresent()) {
                return id.getAsInt();
            }
        }
    }

    /** Like {@link #awaitFreePagesRequest}, but does not wait. */
    public OptionalInt freePagesRequest() {
        RingDriver ring = required(bitmaps);
        ring.callFd().drain();
        Used used = ring.poll();
        if (used == null) {
            ring.resumeCalls();
            used = ring.poll();
        }
        return used == null ? OptionalInt.empty() : request(used);
    }

    /** A descriptor that becomes readable when the device sends a request; null if there is no queue for bitmaps. */
    public @Nullable Fd bitmapsCall() {
        return bitmaps == null ? null : bitmaps.callFd().fd();
    }

    private OptionalInt request(Used used) {
        if (used.written() < REQUEST_HEADER) {
            // FPB-REQ-6
            offerRequestBuffer();
            return OptionalInt.empty();
        }
        return OptionalInt.of(ram.getInt(request));
    }

    /**
     * Answers a request with a chunk, and waits until the device has read it.
     *
     * @param address guest-physical, of the first page
     * @param pageShift the binary logarithm of a page's bytes
     * @param pages the free pages, counted from 0
     * @param count number of pages that the chunk is about, up to {@link #MOST_CHUNK_PAGES}
     * @return the id of the request that the device wants to have answered; if it is another one, the answer is over
     * (FPB-REQ-3)
     */
    public int sendChunk(int id, boolean last, long address, int pageShift, BitSet pages, int count)
            throws IOException {
        ram.putInt(chunk, id);
        ram.putInt(chunk + 4, last ? 1 << 16 : 0);
        ram.putLong(chunk + 8, address);
        ram.putLong(chunk + 16, count);
        ram.putLong(chunk + 24, pageShift);
        long[] words = pages.get(0, count).toLongArray();
        int all = (count + Long.SIZE - 1) / Long.SIZE;
        for (int word = 0; word < all; word++) {
            ram.putLong(chunk + CHUNK_HEADER + word * (long) Long.BYTES, word < words.length ? words[word] : 0);
        }
        required(bitmaps)
                .transfer(
                        List.of(
                                Buffer.readable(chunk, CHUNK_HEADER + (count + Byte.SIZE - 1) / Byte.SIZE),
                                Buffer.writable(wanted, WANTED_SIZE)),
                        limit);
        return ram.getInt(wanted);
    }

    /**
     * Reports page descriptors as Linux has them on x86-64, with one range and one guard, and waits until the device
     * has read them. Must be called before the first request buffer is made available (FPB-DESC-1).
     *
     * @param address guest-physical, of the first page of 4096 bytes
     * @param pages of the range
     * @param descriptors guest-physical address of the first page's descriptor of 64 bytes
     * @param guard guest-physical address of a word that is 0 while it holds
     * @return the id of the request that the device wants to have answered; 0 for none
     */
    public int tellDescriptors(long address, long pages, long descriptors, long guard) throws IOException {
        ram.putInt(chunk, 0);
        ram.putInt(chunk + 4, DESCRIPTORS_TYPE);
        // page_shift 12, most_order 10, stride 64.
        ram.putInt(chunk + 8, 12 | 10 << 8 | 64 << 16);
        // mark_offset 48, order_offset 40.
        ram.putInt(chunk + 12, 48 | 40 << 16);
        ram.putInt(chunk + 16, 0xff00_0000);
        ram.putInt(chunk + 20, 0xf000_0000);
        ram.putInt(chunk + 24, 1);
        ram.putInt(chunk + 28, 1);
        ram.putLong(chunk + DESCRIPTORS_HEADER, guard);
        ram.putInt(chunk + DESCRIPTORS_HEADER + 8, -1);
        ram.putInt(chunk + DESCRIPTORS_HEADER + 12, 0);
        long range = chunk + DESCRIPTORS_HEADER + GUARD_SIZE;
        ram.putLong(range, address);
        ram.putLong(range + 8, pages);
        ram.putLong(range + 16, descriptors);
        ram.putLong(range + 24, 1);
        required(bitmaps)
                .transfer(
                        List.of(
                                Buffer.readable(chunk, DESCRIPTORS_HEADER),
                                Buffer.readable(chunk + DESCRIPTORS_HEADER, GUARD_SIZE + RANGE_SIZE),
                                Buffer.writable(wanted, WANTED_SIZE)),
                        limit);
        return ram.getInt(wanted);
    }

    private static RingDriver required(@Nullable RingDriver ring) {
        if (ring == null) {
            throw new IllegalStateException("the feature of this queue was not negotiated");
        }
        return ring;
    }

    @Override
    public void close() {
        device.close();
    }
}
