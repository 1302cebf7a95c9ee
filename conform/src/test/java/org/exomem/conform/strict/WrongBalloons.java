package org.exomem.conform.strict;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.RingDriver;

/** Drivers of balloons and memory devices with faults. */
final class WrongBalloons {
    private static final int INFLATE = 0;
    private static final int DEFLATE = 1;
    private static final int STATISTICS = 2;
    private static final int FREE_PAGES = 3;
    private static final int REPORTING = 4;
    private static final int PAGE_NUMBER = 8192;
    private static final long PAGE = PAGE_NUMBER * GuestRam.PAGE;
    private static final long PROTOCOL = Protocol.CONFIG | Protocol.BACKEND_REQ;

    private WrongBalloons() {}

    static Stream<Wrong> all() {
        return Stream.of(pages(), statistics(), hints(), poison(), mem()).flatMap(each -> each);
    }

    private static BalloonDriver driver(Peer peer) throws Exception {
        return BalloonDriver.start(peer.attach(PROTOCOL));
    }

    /** Page numbers in guest memory. */
    private static List<Buffer> pages(Peer peer, int... numbers) {
        long at = peer.ram.allocate(4L * numbers.length, 4);
        IntStream.range(0, numbers.length).forEach(i -> peer.ram.putInt(at + 4L * i, numbers[i]));
        return List.of(Buffer.readable(at, 4L * numbers.length));
    }

    private static Stream<Wrong> pages() {
        return Stream.of(
                Wrong.of("balloon.pages.1", peer -> peer.run(0, PROTOCOL)),
                Wrong.of("balloon.pages.4", peer -> {
                    BalloonDriver driver = driver(peer);
                    while (!peer.noticed.getAsBoolean()) {
                        driver.inflatePages(PAGE_NUMBER);
                        driver.deflatePages(PAGE_NUMBER);
                    }
                }),
                Wrong.of("balloon.pages.7", peer -> {
                    BalloonDriver driver = driver(peer);
                    driver.inflatePages(PAGE_NUMBER);
                    peer.ram.putByte(PAGE, 1);
                    driver.deflatePages(PAGE_NUMBER);
                }),
                Wrong.of("balloon.pages.9", peer -> {
                    peer.run(0, PROTOCOL);
                    RingDriver ring = peer.ring(INFLATE);
                    List<Buffer> request = pages(peer, PAGE_NUMBER);
                    while (!peer.noticed.getAsBoolean()) {
                        ring.add(request);
                        ring.kick();
                        for (int i = 0; ring.poll() == null; i++) {
                            peer.ram.putByte(PAGE, i);
                        }
                    }
                }),
                Wrong.of("balloon.pages.10", peer -> {
                    peer.run(0, PROTOCOL);
                    List<Buffer> request = pages(peer, PAGE_NUMBER);
                    while (!peer.noticed.getAsBoolean()) {
                        peer.ring(INFLATE).add(request);
                        peer.ring(INFLATE).kick();
                        peer.ring(DEFLATE).add(request);
                        peer.ring(DEFLATE).kick();
                        peer.ring(INFLATE).await(FrontEnd.LIMIT);
                        peer.ring(DEFLATE).await(FrontEnd.LIMIT);
                    }
                }),
                Wrong.of("balloon.pages.11", peer -> driver(peer).inflatePages(PAGE_NUMBER)));
    }

    private static Stream<Wrong> statistics() {
        return Stream.of(
                Wrong.of("balloon.stats.1", peer -> {
                    BalloonDriver driver = driver(peer);
                    driver.offerStatistics(Map.of(4, 1L));
                    driver.offerStatistics(Map.of(4, 1L));
                }),
                Wrong.of("balloon.stats.2", WrongBalloons::driver),
                Wrong.of("balloon.stats.3", peer -> {
                    BalloonDriver driver = driver(peer);
                    driver.offerStatistics(Map.of(4, 1L));
                    driver.awaitStatisticsRequest();
                }),
                Wrong.of("balloon.stats.5", peer -> {
                    peer.run(0, PROTOCOL);
                    peer.ring(STATISTICS).add(List.of(Buffer.readable(PAGE, 7)));
                    peer.ring(STATISTICS).kick();
                }),
                Wrong.of("balloon.stats.8", peer -> {
                    BalloonDriver driver = driver(peer);
                    driver.offerStatistics(Map.of(4, 1L));
                    driver.awaitStatisticsRequest();
                    driver.offerStatistics(Map.of(5, 1L));
                }));
    }

    private static void hint(Peer peer, Buffer buffer) throws Exception {
        peer.ring(FREE_PAGES).transfer(List.of(buffer), FrontEnd.LIMIT);
    }

    private static Stream<Wrong> hints() {
        return Stream.of(
                Wrong.of("balloon.hint.1", peer -> {
                    peer.run(0, PROTOCOL);
                    hint(peer, Buffer.readable(PAGE, 8));
                }),
                Wrong.of("balloon.hint.2", peer -> {
                    BalloonDriver driver = driver(peer);
                    while (driver.commandId() < 2 && driver.commandId() >= 0) {
                        driver.awaitConfigChange();
                    }
                    driver.hint(PAGE, GuestRam.PAGE, GuestRam.PAGE);
                }),
                Wrong.of("balloon.hint.3", peer -> {
                    BalloonDriver driver = driver(peer);
                    driver.sendCommand(driver.beginHinting());
                }),
                Wrong.of("balloon.hint.4", WrongBalloons::driver),
                Wrong.of("balloon.hint.5", peer -> {
                    BalloonDriver driver = driver(peer);
                    while (!peer.noticed.getAsBoolean()) {
                        driver.hint(PAGE, GuestRam.PAGE, GuestRam.PAGE);
                    }
                }),
                Wrong.of("balloon.hint.6", peer -> {
                    BalloonDriver driver = driver(peer);
                    driver.beginHinting();
                    driver.hint(PAGE, GuestRam.PAGE, GuestRam.PAGE);
                }));
    }

    private static Stream<Wrong> poison() {
        return Stream.of(
                Wrong.of("balloon.poison.2", WrongBalloons::driver),
                Wrong.of("balloon.poison.3", peer -> {
                    BalloonDriver driver = driver(peer);
                    driver.writePoison(1);
                    driver.writePoison(2);
                }),
                Wrong.of("balloon.report.2", peer -> {
                    BalloonDriver driver = driver(peer);
                    driver.writePoison(1);
                    driver.report(PAGE, GuestRam.PAGE, GuestRam.PAGE);
                }),
                Wrong.of("balloon.report.3", peer -> {
                    peer.run(BalloonFeatures.PAGE_POISON, PROTOCOL);
                    RingDriver ring = peer.ring(REPORTING);
                    while (!peer.noticed.getAsBoolean()) {
                        ring.add(List.of(Buffer.writable(PAGE, GuestRam.PAGE)));
                        ring.kick();
                        for (int i = 0; ring.poll() == null; i++) {
                            peer.ram.putByte(PAGE, i);
                        }
                    }
                }));
    }

    private static Stream<Wrong> mem() {
        return Stream.<Wrong>of(
                        Wrong.of("mem.config.1", peer -> {
                            peer.run(0, PROTOCOL);
                            peer.send(Request.SET_CONFIG, Payload.config(48, 8, 0, new byte[8]));
                        }),
                        Wrong.of("mem.block.8", peer -> peer.run(0, PROTOCOL)),
                        Wrong.of("mem.block.1", peer -> {
                            MemDriver driver = MemDriver.start(peer.attach(PROTOCOL));
                            peer.ram.putByte(WatchedDevice.ADDRESS + 1000, 1);
                            driver.plug(WatchedDevice.ADDRESS, 1);
                        }),
                        Wrong.of("mem.init.2", peer -> {
                            MemDriver driver = MemDriver.start(peer.attach(PROTOCOL));
                            while (driver.config().requestedSize() == 0) {
                                driver.awaitConfigChange();
                            }
                            driver.plug(WatchedDevice.ADDRESS, 1);
                            peer.attached().stop();
                            RingDriver fresh = RingDriver.of(
                                    peer.ram, 0, Peer.RING, peer.attached().features());
                            peer.attached().start(fresh, 0, false);
                            driver.write(PAGE, MemDriver.STATE, WatchedDevice.ADDRESS, 1);
                            fresh.add(List.of(Buffer.readable(PAGE, 24)));
                            fresh.kick();
                        }))
                .map(wrong -> wrong.on(DeviceType.MEM));
    }
}
