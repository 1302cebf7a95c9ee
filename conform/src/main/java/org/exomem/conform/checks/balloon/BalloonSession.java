package org.exomem.conform.checks.balloon;

import java.io.IOException;
import java.lang.foreign.ValueLayout;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.GuestRam;

/** A session with a balloon whose driver runs, and pages of guest memory whose content is checked. For one thread. */
final class BalloonSession {
    static final long PAGE = GuestRam.PAGE;

    /** The guest address of pages outside the driver's rings. */
    private static final long PAGES = 8 << 20;

    private static final long RAM_SIZE = 16 << 20;
    private static final long SPARE = 64 << 10;
    private static final int STOP_AND_DONE = 1;

    private final Trial trial;
    private final GuestRam ram;
    private final BalloonDriver driver;

    private BalloonSession(Trial trial, GuestRam ram, BalloonDriver driver) {
        this.trial = trial;
        this.ram = ram;
        this.driver = driver;
    }

    /** @param features of the balloon; the check is skipped if the device does not offer them */
    static BalloonSession start(Trial trial, long features) throws IOException {
        return start(trial, trial.connect(), features);
    }

    /** Starts the session over a connection on which nothing is negotiated yet. */
    static BalloonSession start(Trial trial, FrontEnd frontEnd, long features) throws IOException {
        long offered = frontEnd.getFeatures();
        Wish wish = Wish.USUAL.with(features).withProtocol(Protocol.CONFIG);
        trial.requireFeatures(offered, wish.requiredFeatures());
        trial.requireProtocol(frontEnd.getProtocolFeatures(), wish.requiredProtocol());
        GuestRam ram = trial.closeLater(GuestRam.ofSize(RAM_SIZE));
        AttachedDevice device = trial.closeLater(AttachedDevice.attach(
                frontEnd,
                ram,
                wish.requiredFeatures() | wish.wantedFeatures(),
                wish.requiredProtocol() | wish.wantedProtocol()));
        device.watch(trial.transcript());
        ram.allocate(SPARE, PAGE);
        return new BalloonSession(
                trial, ram, BalloonDriver.start(device, trial.limits().answer()));
    }

    BalloonDriver driver() {
        return driver;
    }

    AttachedDevice device() {
        return driver.device();
    }

    /** The guest address of a page; pages count from 0. */
    long page(int number) {
        return PAGES + number * PAGE;
    }

    /** The page frame number of a page, as inflate and deflate use it. */
    int pfn(int number) {
        return (int) (page(number) / PAGE);
    }

    /** Fills these pages. */
    void write(int value, int... pages) {
        for (int page : pages) {
            ram.fill(page(page), PAGE, (byte) value);
        }
    }

    /** True if the content of a page differs from {@code value}. */
    private boolean isChanged(int value, int page) {
        for (byte found : ram.bytes(page(page), PAGE).toArray(ValueLayout.JAVA_BYTE)) {
            if (found != (byte) value) {
                return true;
            }
        }
        return false;
    }

    /** Fails the check if the content of one of the pages changes, now or within the quiet time. */
    void expectKept(int value, String when, int... pages) {
        for (int page : pages) {
            trial.expect(!isChanged(value, page), "the content of page " + pfn(page) + " was changed " + when);
        }
        trial.expectNever(
                () -> {
                    for (int page : pages) {
                        if (isChanged(value, page)) {
                            return true;
                        }
                    }
                    return false;
                },
                "the content of a page was changed " + when);
    }

    /**
     * Waits for the command id of a hinting session that the host has begun.
     *
     * @throws Skipped if the host begins none
     */
    int awaitCommandId() throws IOException {
        int id = awaitOther(0, STOP_AND_DONE);
        if (id == 0 || id == STOP_AND_DONE) {
            throw new Skipped("the host requests no hints");
        }
        return id;
    }

    /** Waits for a command id other than these two; returns the present one at the end of the quiet time. */
    int awaitOther(int one, int another) throws IOException {
        long end = System.nanoTime() + trial.limits().quiet().toNanos();
        int id = driver.commandId();
        while ((id == one || id == another) && System.nanoTime() < end) {
            id = driver.commandId();
        }
        return id;
    }

    /** Fails the check unless the device still works. */
    void expectServed() throws IOException {
        int pfn = pfn(100);
        driver.inflatePages(pfn);
        driver.deflatePages(pfn);
    }
}
