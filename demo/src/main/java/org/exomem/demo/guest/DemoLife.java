package org.exomem.demo.guest;

import static org.exomem.demo.guest.Measured.mib;
import static org.exomem.demo.guest.Measured.millis;

import java.io.IOException;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.jspecify.annotations.Nullable;

/**
 * The steps of a guest's life with a balloon, each measured. A page of the guest is in use, free, or in the balloon.
 */
final class DemoLife implements AutoCloseable {
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
    private static final long OWN_MEMORY = 16L << 20;
    private static final long BLOCK = 4L << 20;
    private static final byte CONTENT = 0x5a;

    private final Path socket;
    private final long memory;
    private final GuestRam ram;
    private final long freeFrom;
    private final @Nullable DemoMemory device;
    private @Nullable BalloonDriver driver;

    /** The balloon takes pages from the top of memory downwards: all pages from here on are in it. */
    private long balloonFrom;

    /**
     * @param memory the guest's initial memory in bytes
     * @param memorySocket socket of a memory device whose region is at 4 GiB; null if there is none
     */
    DemoLife(Path socket, long memory, @Nullable Path memorySocket) throws IOException {
        if (memory < 2 * OWN_MEMORY || memory % BLOCK != 0) {
            throw new IllegalArgumentException("a guest has at least 32 MiB, in steps of 4 MiB");
        }
        this.socket = socket;
        this.memory = memory;
        this.ram =
                memorySocket == null ? GuestRam.ofSize(memory) : GuestRam.withPciHole(memory, DemoMemory.REGION_SIZE);
        this.device = memorySocket == null ? null : new DemoMemory(memorySocket, ram);
        this.freeFrom = OWN_MEMORY;
        this.balloonFrom = memory;
    }

    Measured step(String command) throws IOException {
        return switch (command) {
            case "attach" -> attach();
            case "fill" -> fill();
            case "follow" -> follow();
            case "statistics" -> statistics();
            case "hint" -> hint();
            case "hints-done" -> hintsDone();
            case "report" -> report();
            case "attach-memory" -> memoryDevice().attach();
            case "resize" -> memoryDevice().resize();
            case "practise" -> memoryDevice().practise();
            default -> throw new IllegalArgumentException("no such command: " + command);
        };
    }

    private Measured attach() throws IOException {
        long start = System.nanoTime();
        AttachedDevice device = AttachedDevice.attach(FrontEnd.connect(socket), ram, FEATURES, PROTOCOL_FEATURES);
        BalloonDriver attached = BalloonDriver.start(device);
        driver = attached;
        attached.offerStatistics(currentStatistics());
        long nanos = System.nanoTime() - start;
        return new Measured()
                .hex("features", device.features())
                .hex("protocolFeatures", device.frontEnd().protocolFeatures())
                .with("queues", device.rings().size())
                .with("memory", memory)
                .with("nanos", nanos)
                .say(device.rings().size() + " queues of a guest with " + mib(memory) + ", features 0x"
                        + Long.toHexString(device.features()) + ", in " + millis(nanos));
    }

    private Measured fill() throws IOException {
        long before = ram.hostBytes();
        ram.fill(freeFrom, free(), CONTENT);
        return hostMemory(new Measured(), before, "the guest writes its free memory");
    }

    private Measured follow() throws IOException {
        BalloonDriver balloon = attached();
        long target = balloon.numPages();
        while (target == balloon.actual()) {
            balloon.awaitConfigChange();
            target = balloon.numPages();
        }
        long wanted = memory - Math.min(target * GuestRam.PAGE, memory - freeFrom);
        long before = ram.hostBytes();
        long start = System.nanoTime();
        String what;
        if (wanted < balloonFrom) {
            what = "inflates by " + mib(balloonFrom - wanted);
            balloon.inflate(wanted, balloonFrom - wanted);
        } else {
            what = "deflates by " + mib(wanted - balloonFrom);
            balloon.deflate(balloonFrom, wanted - balloonFrom);
        }
        balloonFrom = wanted;
        balloon.writeActual((int) ((memory - balloonFrom) / GuestRam.PAGE));
        long nanos = System.nanoTime() - start;
        return hostMemory(
                new Measured()
                        .with("numPages", target)
                        .with("actual", balloon.actual())
                        .with("nanos", nanos),
                before,
                what + " in " + millis(nanos));
    }

    private Measured statistics() throws IOException {
        BalloonDriver balloon = attached();
        balloon.awaitStatisticsRequest();
        SortedMap<Integer, Long> values = currentStatistics();
        balloon.offerStatistics(values);
        return new Measured()
                .with("tags", values.size())
                .with("free", free())
                .with("total", memory)
                .say(values.size() + " values sent, " + mib(free()) + " free of " + mib(memory));
    }

    /** Tags 0 to 15. A guest without programs can report only those about memory (BAL-STAT-4). */
    private SortedMap<Integer, Long> currentStatistics() {
        SortedMap<Integer, Long> values = new TreeMap<>();
        for (int tag = 0; tag < 16; tag++) {
            values.put(tag, 0L);
        }
        values.put(4, free());
        values.put(5, memory);
        values.put(6, free());
        return values;
    }

    private Measured hint() throws IOException {
        BalloonDriver balloon = attached();
        long start = System.nanoTime();
        int id = balloon.beginHinting();
        long length = free();
        balloon.hint(freeFrom, length, BLOCK);
        balloon.endHinting();
        long nanos = System.nanoTime() - start;
        return new Measured()
                .hex("commandId", Integer.toUnsignedLong(id))
                .with("hinted", length)
                .with("nanos", nanos)
                .say(mib(length) + " hinted as free in session 0x" + Integer.toHexString(id) + ", in " + millis(nanos));
    }

    private Measured hintsDone() throws IOException {
        BalloonDriver balloon = attached();
        balloon.awaitCommand(BalloonDriver.DONE);
        long before = ram.hostBytes();
        ram.fill(freeFrom, free(), CONTENT);
        return hostMemory(new Measured(), before, "the guest uses the hinted pages again");
    }

    private Measured report() throws IOException {
        BalloonDriver balloon = attached();
        long before = ram.hostBytes();
        long start = System.nanoTime();
        long length = free();
        balloon.report(freeFrom, length, BLOCK);
        long nanos = System.nanoTime() - start;
        return hostMemory(
                new Measured().with("reported", length).with("nanos", nanos),
                before,
                mib(length) + " reported free in " + millis(nanos));
    }

    private Measured hostMemory(Measured measured, long before, String what) throws IOException {
        long after = ram.hostBytes();
        return measured.with("hostBefore", before)
                .with("hostAfter", after)
                .say(what + ": host memory " + mib(before) + " -> " + mib(after));
    }

    /** The bytes of free memory, between the pages in use and those in the balloon. */
    private long free() {
        return balloonFrom - freeFrom;
    }

    private DemoMemory memoryDevice() {
        DemoMemory current = device;
        if (current == null) {
            throw new IllegalStateException("there is no memory device");
        }
        return current;
    }

    private BalloonDriver attached() {
        BalloonDriver current = driver;
        if (current == null) {
            throw new IllegalStateException("attach comes first");
        }
        return current;
    }

    @Override
    public void close() {
        if (driver != null) {
            driver.close();
        }
        if (device != null) {
            device.close();
        }
        ram.close();
    }
}
