package org.exomem.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;

/** A guest without a VMM, attached to a balloon in another process. Its inflate and deflate queues run. */
final class Guest implements AutoCloseable {
    /** The features that a Linux driver acknowledges, with a split ring. */
    static final long LINUX = BalloonFeatures.LINUX | Features.VERSION_1 | Features.INDIRECT_DESC | Features.EVENT_IDX;

    private static final long PROTOCOL =
            Protocol.MQ | Protocol.REPLY_ACK | Protocol.CONFIG | Protocol.CONFIGURE_MEM_SLOTS | Protocol.STATUS;

    private final GuestRam ram;
    private final AttachedDevice device;
    private final RingDriver inflate;
    private final RingDriver deflate;

    private Guest(GuestRam ram, AttachedDevice device, int queueSize) throws IOException {
        this.ram = ram;
        this.device = device;
        this.inflate = device.addRing(0, queueSize);
        this.deflate = device.addRing(1, queueSize);
        device.start();
    }

    /**
     * Attaches a guest.
     *
     * @param bytes of memory
     * @param features of the device and of the rings
     * @param queueSize descriptors in each queue
     */
    static Guest attach(Path socket, long bytes, long features, int queueSize) throws IOException {
        GuestRam ram = GuestRam.ofSize(bytes);
        try {
            return new Guest(
                    ram,
                    AttachedDevice.attach(
                            FrontEnd.connect(socket), ram, features | Features.PROTOCOL_FEATURES, PROTOCOL),
                    queueSize);
        } catch (IOException e) {
            ram.close();
            throw e;
        }
    }

    GuestRam ram() {
        return ram;
    }

    RingDriver inflate() {
        return inflate;
    }

    RingDriver deflate() {
        return deflate;
    }

    @Override
    public void close() {
        device.close();
        ram.close();
    }
}
