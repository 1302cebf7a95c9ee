package org.exomem.conform.sample;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.exomem.conform.trial.Sample;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/**
 * virtio-net (5.1): sends an ARP request for an address that no host has (192.0.2.0/24 is reserved for documentation).
 */
public final class NetSample implements Sample {
    private static final long MRG_RXBUF = 1L << 15;
    private static final int LEGACY_HEADER_SIZE = 10;
    private static final int HEADER_SIZE = 12;
    private static final int FRAME_SIZE = 60;
    private static final int ASKED_ADDRESS = 38;
    private static final byte[] ARP = HexFormat.of()
            .parseHex("ffffffffffff" + "020000000001" + "0806" + "0001080006040001" + "020000000001" + "c0000202"
                    + "000000000000" + "c0000200");

    @Override
    public String name() {
        return "virtio-net, an ARP request";
    }

    /** The first transmit queue. */
    @Override
    public int queue() {
        return 1;
    }

    /** A device serves queues in pairs. */
    @Override
    public int queues() {
        return 2;
    }

    @Override
    public Request place(AttachedDevice device) {
        GuestRam ram = device.ram();
        boolean modern = (device.features() & (Features.VERSION_1 | MRG_RXBUF)) != 0;
        int header = modern ? HEADER_SIZE : LEGACY_HEADER_SIZE;
        long packet = ram.allocate(header + FRAME_SIZE, Long.BYTES);
        return new Request() {
            private int host = 1;

            @Override
            public List<Buffer> prepare() {
                host = host % 254 + 1;
                ram.fill(packet, header + FRAME_SIZE, (byte) 0);
                ByteBuffer frame = ram.bytes(packet + header, FRAME_SIZE).asByteBuffer();
                frame.put(ARP).put(ASKED_ADDRESS + 3, (byte) host);
                return List.of(Buffer.readable(packet, header + FRAME_SIZE));
            }

            @Override
            public long leastWritten() {
                return 0;
            }

            @Override
            public void verify(GuestRam memory, Used used) {
                // The destination of the frame can't be observed, and there is no answer.
            }
        };
    }
}
