package org.exomem.conform.strict;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.exomem.conform.trial.Waiting;
import org.exomem.conformance.frontend.BackEndChannel;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.RingDriver;

/** Drivers that do all that the device wants, as a guest's does. */
final class RightDriver {
    private static final Map<Integer, Long> STATISTICS = new LinkedHashMap<>(Map.of(4, 1L << 20, 5, 1L << 24));
    private static final long FREE = 8 << 20;
    private static final long HINTED = 4 << 20;
    private static final long HINT = 1 << 20;
    private static final int CONFIG_SIZE = 16;
    private static final int POISON_VAL = 12;
    private static final int POISON = 0xaaaa_aaaa;

    private RightDriver() {}

    /** Returns when there is nothing more to do. */
    static void balloon(AttachedDevice device, BooleanSupplier done) throws IOException {
        long features = device.features();
        boolean poison = (features & BalloonFeatures.PAGE_POISON) != 0;
        GuestRam ram = device.ram();
        if (poison) {
            ram.fill(FREE, ram.size() - FREE, (byte) 0xaa);
        }
        if (poison) {
            byte[] config = device.frontEnd().getConfig(0, CONFIG_SIZE);
            ByteBuffer.wrap(config).order(ByteOrder.LITTLE_ENDIAN).putInt(POISON_VAL, POISON);
            device.frontEnd().setConfig(0, config);
        }
        BalloonDriver driver = BalloonDriver.start(device);
        kickAll(device);
        boolean statistics = (features & BalloonFeatures.STATS_VQ) != 0;
        if (statistics) {
            driver.offerStatistics(STATISTICS);
        }
        int inBalloon = 0;
        int hinted = 0;
        while (!done.getAsBoolean()) {
            answer(device.channel());
            int wanted = (int) driver.numPages();
            if (wanted != inBalloon) {
                long from = FREE + Math.min(inBalloon, wanted) * GuestRam.PAGE;
                long length = Math.abs(wanted - inBalloon) * GuestRam.PAGE;
                if (wanted > inBalloon) {
                    driver.inflate(from, length);
                } else {
                    driver.deflate(from, length);
                }
                inBalloon = wanted;
                driver.writeActual(inBalloon);
            }
            if (statistics && driver.statisticsAreRequested()) {
                driver.offerStatistics(STATISTICS);
            }
            int command = (features & BalloonFeatures.FREE_PAGE_HINT) == 0 ? 0 : driver.commandId();
            if (command != BalloonDriver.STOP && command != BalloonDriver.DONE && command != hinted) {
                hinted = driver.beginHinting();
                driver.hint(FREE - HINTED, HINTED, HINT);
                driver.endHinting();
            }
            if ((features & BalloonFeatures.PAGE_REPORTING) != 0 && inBalloon == 2048) {
                driver.report(FREE + 2048 * GuestRam.PAGE, HINT, HINT);
            }
            Waiting.aMoment();
        }
        device.stop();
    }

    /** Returns when there is nothing more to do. */
    static void mem(AttachedDevice device, BooleanSupplier done) throws IOException {
        MemDriver driver = MemDriver.start(device);
        kickAll(device);
        driver.unplugAll();
        while (!done.getAsBoolean()) {
            answer(device.channel());
            MemDriver.Config config = driver.config();
            int wanted = (int) (config.requestedSize() / config.blockSize());
            int there = (int) (config.pluggedSize() / config.blockSize());
            if (wanted > there) {
                driver.plug(config.address() + there * config.blockSize(), wanted - there);
            } else if (wanted < there) {
                driver.unplug(config.address() + wanted * config.blockSize(), there - wanted);
            } else if (there > 0) {
                driver.state(config.address(), there);
            }
            Waiting.aMoment();
        }
        device.stop();
    }

    static void kickAll(AttachedDevice device) {
        for (RingDriver ring : device.rings()) {
            ring.kickFd().signal();
        }
    }

    private static void answer(BackEndChannel channel) throws IOException {
        while (channel.awaitReadable(Duration.ZERO)) {
            channel.receive();
        }
    }
}
