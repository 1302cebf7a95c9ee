package org.exomem.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;

/**
 * A guest without a VMM, attached to a memory device in another process. Its memory is one range from address 0 on:
 * {@link #OWN} bytes for rings and requests, then the device's region. So a guest address is an offset in the file.
 */
final class MemoryGuest implements AutoCloseable {
    /** The address of the device's region; a multiple of every usual block size. */
    static final long OWN = 64L << 20;

    /** The size of a block in bytes. */
    static final long BLOCK = 2L << 20;

    private static final long PROTOCOL =
            Protocol.MQ | Protocol.REPLY_ACK | Protocol.CONFIG | Protocol.CONFIGURE_MEM_SLOTS | Protocol.STATUS;

    private final GuestRam ram;
    private final AttachedDevice device;
    private final RingDriver ring;

    private MemoryGuest(GuestRam ram, AttachedDevice device, int queueSize) throws IOException {
        this.ram = ram;
        this.device = device;
        this.ring = device.addRing(0, queueSize);
        device.start();
    }

    /** The value of {@code --mem} for a device for such a guest, with the whole region requested. */
    static String options(String vm, long regionBytes) {
        return vm + ",addr=" + OWN + ",size=" + regionBytes + ",requested=" + regionBytes + ",block=" + BLOCK;
    }

    /**
     * Attaches a guest, with its queue running.
     *
     * @param regionBytes the size of the device's region
     * @param queueSize descriptors; each request takes two
     */
    static MemoryGuest attach(Path socket, long regionBytes, RingFormat format, int queueSize) throws IOException {
        GuestRam ram = GuestRam.ofSize(OWN + regionBytes);
        try {
            return new MemoryGuest(
                    ram,
                    AttachedDevice.attach(
                            FrontEnd.connect(socket), ram, format.features() | Features.PROTOCOL_FEATURES, PROTOCOL),
                    queueSize);
        } catch (IOException e) {
            ram.close();
            throw e;
        }
    }

    GuestRam ram() {
        return ram;
    }

    RingDriver ring() {
        return ring;
    }

    @Override
    public void close() {
        device.close();
        ram.close();
    }
}
