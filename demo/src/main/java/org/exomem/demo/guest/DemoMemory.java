package org.exomem.demo.guest;

import static org.exomem.demo.guest.Measured.mib;
import static org.exomem.demo.guest.Measured.millis;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.jspecify.annotations.Nullable;

/**
 * The guest's memory device. The guest plugs blocks up to the requested size, from the bottom of the region upwards,
 * and unplugs them in reverse.
 */
final class DemoMemory implements AutoCloseable {
    /** The largest size that the guest can get, in bytes. */
    static final long REGION_SIZE = 512L << 20;

    /** As Linux on QEMU negotiates them: packed rings and indirect tables. */
    private static final long FEATURES = Features.PROTOCOL_FEATURES
            | Features.VERSION_1
            | Features.RING_PACKED
            | Features.INDIRECT_DESC
            | Features.EVENT_IDX
            | 0b111;

    private static final long PROTOCOL_FEATURES = Protocol.REPLY_ACK
            | Protocol.BACKEND_REQ
            | Protocol.CONFIG
            | Protocol.CONFIGURE_MEM_SLOTS
            | Protocol.STATUS;
    /** As many as Linux plugs at once if the device's blocks have 2 MiB: Linux's own blocks have 128 MiB. */
    private static final int BLOCKS_AT_ONCE = 64;

    /** Enough repetitions that the JVM compiles the code that serves a request. */
    private static final int PRACTICE = 6000;

    private static final byte CONTENT = 0x3c;

    private final Path socket;
    private final GuestRam ram;
    private @Nullable MemDriver driver;

    DemoMemory(Path socket, GuestRam ram) {
        this.socket = socket;
        this.ram = ram;
    }

    Measured attach() throws IOException {
        MemDriver attached = MemDriver.start(
                        AttachedDevice.attach(FrontEnd.connect(socket), ram, FEATURES, PROTOCOL_FEATURES))
                .indirect();
        driver = attached;
        MemDriver.Config config = attached.config();
        return new Measured()
                .with("region", config.regionSize())
                .with("block", config.blockSize())
                .say("a memory device for up to " + mib(config.regionSize()) + " more, in blocks of "
                        + mib(config.blockSize()) + ", on node " + config.nodeId());
    }

    Measured resize() throws IOException {
        MemDriver device = attached();
        MemDriver.Config config = device.config();
        while (config.requestedSize() == config.pluggedSize()) {
            device.awaitConfigChange();
            config = device.config();
        }
        long before = ram.hostBytes();
        long start = System.nanoTime();
        long from = config.pluggedSize();
        long to = config.requestedSize();
        long step = BLOCKS_AT_ONCE * config.blockSize();
        for (long at = from; at < to; at += step) {
            check(device.plug(config.address() + at, blocks(config, Math.min(step, to - at))), "PLUG");
        }
        for (long at = from; at > to; at -= Math.min(step, at - to)) {
            long length = Math.min(step, at - to);
            check(device.unplug(config.address() + at - length, blocks(config, length)), "UNPLUG");
        }
        long nanos = System.nanoTime() - start;
        if (to > from) {
            ram.fill(config.address() + from, to - from, CONTENT);
        }
        long after = ram.hostBytes();
        String what = to > from ? "plugs " + mib(to - from) : "unplugs " + mib(from - to);
        return new Measured()
                .with("plugged", device.config().pluggedSize())
                .with("nanos", nanos)
                .with("hostBefore", before)
                .with("hostAfter", after)
                .say(what + " in " + millis(nanos) + (to > from ? " and writes it" : "") + ": host memory "
                        + mib(before) + " -> " + mib(after));
    }

    /** Unplugs the last plugged block and plugs it again, many times. */
    Measured practise() throws IOException {
        MemDriver device = attached();
        MemDriver.Config config = device.config();
        long last = config.address() + config.pluggedSize() - config.blockSize();
        long start = System.nanoTime();
        for (int i = 0; i < PRACTICE; i++) {
            check(device.unplug(last, 1), "UNPLUG");
            check(device.plug(last, 1), "PLUG");
        }
        long nanos = System.nanoTime() - start;
        return new Measured()
                .with("requests", 2L * PRACTICE)
                .with("nanos", nanos)
                .say(2 * PRACTICE + " requests for a block in " + millis(nanos));
    }

    private static int blocks(MemDriver.Config config, long bytes) {
        return (int) (bytes / config.blockSize());
    }

    private static void check(Answer answer, String request) throws IOException {
        if (answer != Answer.ACK) {
            throw new IOException(request + " was answered " + answer);
        }
    }

    private MemDriver attached() {
        MemDriver current = driver;
        if (current == null) {
            throw new IllegalStateException("attach-memory comes first");
        }
        return current;
    }

    @Override
    public void close() {
        if (driver != null) {
            driver.close();
        }
    }
}
