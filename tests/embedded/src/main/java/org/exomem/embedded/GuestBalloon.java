package org.exomem.embedded;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.exomem.conformance.frontend.BackEndChannel;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.embedded.EmbeddedOptions.Hints;
import org.exomem.linux.Fd;

/**
 * The guest's balloon: the device and its driver, which carries out the device's requests in small steps. For one
 * thread.
 */
final class GuestBalloon implements AutoCloseable {
    private static final long FEATURES = BalloonFeatures.LINUX
            | Features.PROTOCOL_FEATURES
            | Features.VERSION_1
            | Features.INDIRECT_DESC
            | Features.EVENT_IDX;
    private static final long PROTOCOL_FEATURES = Protocol.MQ
            | Protocol.REPLY_ACK
            | Protocol.BACKEND_REQ
            | Protocol.CONFIG
            | Protocol.CONFIGURE_MEM_SLOTS
            | Protocol.STATUS;
    /** 2 MiB, the smallest block that Linux reports. */
    private static final int REPORTED_BLOCK = 512;

    private static final int STATISTICS = 10;
    private static final int FREE = 4;
    private static final int TOTAL = 5;
    private static final int AVAILABLE = 6;
    private static final Duration REPORT_EVERY = Duration.ofSeconds(2);
    private static final Duration TRY_EVERY = Duration.ofMillis(200);
    private static final Duration LIE_EVERY = Duration.ofMillis(1);

    private final AttachedDevice device;
    private final BalloonDriver driver;
    private final EmbeddedRam ram;
    private final PageAllocator allocator;
    private final FreePageHints hints;
    private final FreePageBitmaps bitmaps;
    private final BalloonSize size;
    private final Hints answer;
    private final boolean reporting;
    private final List<Integer> bases = new ArrayList<>();
    private long target;
    private boolean configChanged = true;
    private volatile boolean needed;
    private long nextReport = System.nanoTime() + REPORT_EVERY.toNanos();
    private int reportFrom;
    private long reported;

    private GuestBalloon(
            AttachedDevice device, BalloonDriver driver, EmbeddedRam ram, GuestProgram program, Hints answer) {
        this.device = device;
        this.driver = driver;
        this.ram = ram;
        this.allocator = program.allocator();
        this.hints = new FreePageHints(driver, ram, program, answer);
        this.bitmaps = new FreePageBitmaps(driver, ram, allocator);
        this.size = new BalloonSize(driver, ram, allocator);
        this.answer = answer;
        this.reporting = has(BalloonFeatures.PAGE_REPORTING);
    }

    /** Connects to the device, and starts the guest's driver. Takes the front-end over. */
    static GuestBalloon start(FrontEnd frontEnd, EmbeddedRam ram, GuestProgram program, Hints answer)
            throws IOException {
        AttachedDevice device = AttachedDevice.attach(
                frontEnd,
                ram.ram(),
                FEATURES | (answer == Hints.BITMAP ? BalloonFeatures.FREE_PAGE_BITMAP : 0),
                PROTOCOL_FEATURES);
        try {
            GuestBalloon balloon = new GuestBalloon(device, BalloonDriver.start(device), ram, program, answer);
            if (balloon.has(BalloonFeatures.STATS_VQ)) {
                balloon.driver.offerStatistics(balloon.statistics());
            }
            if (balloon.has(BalloonFeatures.FREE_PAGE_BITMAP)) {
                balloon.driver.offerRequestBuffer();
            }
            return balloon;
        } catch (IOException | RuntimeException e) {
            device.close();
            throw e;
        }
    }

    private boolean has(long feature) {
        return (device.features() & feature) != 0;
    }

    /** Called when the guest has no free pages. Returns whether it will get some out of the balloon. For any thread. */
    boolean rescue() {
        needed = has(BalloonFeatures.DEFLATE_ON_OOM) && size.count() > 0;
        return needed;
    }

    /** Descriptors that become readable when the device sends a call or a message. */
    List<Fd> channels() {
        List<Fd> channels = new ArrayList<>();
        channels.add(device.channel().connection().fd());
        Fd statistics = driver.statisticsCall();
        if (statistics != null) {
            channels.add(statistics);
        }
        Fd requests = driver.bitmapsCall();
        if (requests != null) {
            channels.add(requests);
        }
        return channels;
    }

    /** The longest time to wait on {@link #channels}. */
    Duration patience() {
        if (answer == Hints.LYING && hints.sessions() > 0) {
            return LIE_EVERY;
        }
        if (size.wantsMore()) {
            return TRY_EVERY;
        }
        return reporting ? Duration.ofNanos(Math.max(0, nextReport - System.nanoTime())) : Duration.ofDays(1);
    }

    /** Does a small part of the pending work. Returns whether there is more. */
    boolean step() throws IOException {
        listen();
        if (hints.sessions() > 0) {
            hints.lie();
        }
        boolean more = hints.step();
        if (has(BalloonFeatures.FREE_PAGE_BITMAP)) {
            more |= bitmaps.step();
        }
        if (needed) {
            needed = false;
            size.rescue();
            // Pages that the guest needed are not taken again before the device's next request.
            target = Math.min(target, size.count());
        }
        more |= size.step(target);
        more |= report();
        return more;
    }

    private void listen() throws IOException {
        BackEndChannel channel = device.channel();
        while (channel.awaitReadable(Duration.ZERO)) {
            channel.receive();
            configChanged = true;
        }
        if (configChanged) {
            configChanged = false;
            target = driver.numPages();
            if (has(BalloonFeatures.FREE_PAGE_HINT)) {
                hints.command(driver.commandId());
            }
        }
        if (has(BalloonFeatures.STATS_VQ) && driver.statisticsAreRequested()) {
            driver.offerStatistics(statistics());
        }
    }

    private SortedMap<Integer, Long> statistics() {
        SortedMap<Integer, Long> values = new TreeMap<>();
        for (int tag = 0; tag < STATISTICS; tag++) {
            values.put(tag, 0L);
        }
        long free = allocator.available() * GuestRam.PAGE;
        values.put(FREE, free);
        values.put(TOTAL, ram.size() - size.count() * GuestRam.PAGE);
        values.put(AVAILABLE, free);
        return values;
    }

    /** Reports a block, if a report is due. */
    private boolean report() throws IOException {
        if (!reporting || System.nanoTime() - nextReport < 0) {
            return false;
        }
        PageAllocator.Run block = allocator.takeUnreported(reportFrom, REPORTED_BLOCK);
        if (block == null) {
            reportFrom = 0;
            nextReport = System.nanoTime() + REPORT_EVERY.toNanos();
            return false;
        }
        long bytes = block.count() * GuestRam.PAGE;
        driver.report(ram.address(block.first()), bytes, bytes);
        allocator.giveReported(block);
        reportFrom = block.first() + block.count();
        reported += block.count();
        return true;
    }

    /** Stops all rings: the guest is paused, so its device must stop. */
    void stop() throws IOException {
        bases.clear();
        bases.addAll(device.stop());
    }

    /** Lets the guest continue after {@link #stop}. */
    void proceed() throws IOException {
        List<RingDriver> rings = device.rings();
        for (int i = 0; i < rings.size(); i++) {
            device.start(rings.get(i), bases.get(i), false);
        }
        configChanged = true;
    }

    /** The guest's driver returns everything that it has, and the VMM removes the device. */
    void leave() throws IOException {
        hints.end();
        while (size.count() > 0) {
            size.step(0);
        }
        stop();
    }

    /** Ends without a device: the guest has all its pages again. */
    void forget() {
        allocator.setRescue(() -> false);
        allocator.endLending();
        size.forget();
    }

    /**
     * The observable state of the driver.
     *
     * @param inBalloon pages
     * @param sessions of hinting since the driver started
     * @param hinted pages in all sessions
     * @param reported pages; a page counts each time that it is reported
     */
    record Seen(long inBalloon, long sessions, long hinted, long reported) {}

    Seen seen() {
        return new Seen(size.count(), hints.sessions(), hints.hinted(), reported);
    }

    @Override
    public void close() {
        driver.close();
    }
}
