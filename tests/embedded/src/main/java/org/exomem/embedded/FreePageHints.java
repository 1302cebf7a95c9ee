package org.exomem.embedded;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.embedded.EmbeddedOptions.Hints;
import org.jspecify.annotations.Nullable;

/**
 * The guest's side of free page hinting (VIRTIO, "Free Page Hinting"), as in Linux. Under a new command id, the driver
 * hints all free pages, and keeps them until the device ends the session. A guest without other free pages takes them
 * back earlier, without a message to the device. For the driver's thread.
 */
final class FreePageHints {
    /** The largest number of pages in one hint: 4 MiB, as in Linux. */
    private static final int BLOCK = 1024;

    private static final int AT_ONCE = 32;
    private static final int LIARS_PAGES = 256;

    private final BalloonDriver driver;
    private final EmbeddedRam ram;
    private final PageAllocator allocator;
    private final HeldPages own;
    private final Hints answer;
    private int command = BalloonDriver.STOP;
    private boolean active;
    private int next;
    private int lies;
    private long sessions;
    private long hinted;

    FreePageHints(BalloonDriver driver, EmbeddedRam ram, GuestProgram program, Hints answer) {
        this.driver = driver;
        this.ram = ram;
        this.allocator = program.allocator();
        this.own = program.driversPages();
        this.answer = answer;
    }

    /** The number of sessions since the driver started. */
    long sessions() {
        return sessions;
    }

    /** The number of pages hinted since the driver started. */
    long hinted() {
        return hinted;
    }

    /** The device shows a command id, perhaps the same as before. */
    void command(int shown) throws IOException {
        if (answer == Hints.SILENT || shown == command) {
            return;
        }
        command = shown;
        switch (shown) {
            case BalloonDriver.STOP -> stop();
            case BalloonDriver.DONE -> {
                stop();
                allocator.endLending();
            }
            default -> {
                lie();
                driver.sendCommand(shown);
                next = EmbeddedRam.firstPage();
                lies = 0;
                active = true;
                sessions++;
            }
        }
    }

    private void stop() throws IOException {
        if (active) {
            active = false;
            driver.endHinting();
            lie();
        }
    }

    /** Sends the next hint, if the device wants hints. Returns whether there may be more. */
    boolean step() throws IOException {
        if (!active) {
            return false;
        }
        List<Buffer> blocks = new ArrayList<>();
        for (PageAllocator.Run run = next(); run != null; run = blocks.size() < AT_ONCE ? next() : null) {
            blocks.add(Buffer.writable(ram.address(run.first()), run.count() * GuestRam.PAGE));
            hinted += run.count();
        }
        if (blocks.isEmpty()) {
            stop();
        } else {
            driver.hint(blocks);
            lie();
        }
        return active;
    }

    private PageAllocator.@Nullable Run next() {
        if (lies < own.count()) {
            // The page is in use, and is written again before the guest can be paused: such a hint must have no effect
            // in the end.
            int page = own.page(lies);
            lies++;
            return new PageAllocator.Run(page, 1);
        }
        PageAllocator.Run run = allocator.lend(next, BLOCK);
        next = run == null ? next : run.first() + run.count();
        return run;
    }

    /** Starts to lie: the driver uses pages itself, hints them like the free ones, and writes them all the time. */
    void lie() {
        if (answer != Hints.LYING) {
            return;
        }
        synchronized (own) {
            for (int i = own.count(); i < LIARS_PAGES; i++) {
                int page = allocator.take();
                if (page == PageAllocator.NONE) {
                    break;
                }
                own.add(page);
            }
            for (int i = 0; i < own.count(); i++) {
                own.rewrite(i);
            }
        }
    }

    /** Ends the session with the driver. */
    void end() throws IOException {
        stop();
        allocator.endLending();
    }
}
