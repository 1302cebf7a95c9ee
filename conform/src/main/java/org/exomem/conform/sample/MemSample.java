package org.exomem.conform.sample;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/** virtio-mem (5.15): requests the state of the first block. */
public final class MemSample implements Sample {
    private static final int REQUEST_SIZE = 24;
    private static final int RESPONSE_SIZE = 10;
    private static final int STATE = 3;
    private static final int CONFIG_SIZE = 56;
    private static final int ADDRESS_IN_CONFIG = 16;
    private static final int REGION_SIZE_IN_CONFIG = 24;

    private final long address;
    private final long regionSize;

    /**
     * Both values are bytes, as in the device's config space.
     *
     * @param address guest address at which the device's region begins
     */
    public MemSample(long address, long regionSize) {
        this.address = address;
        this.regionSize = regionSize;
    }

    /** Reads the config space of a device over a new connection, and ends the connection. */
    static MemSample read(FrontEnd connected) throws IOException {
        try (connected) {
            connected.getFeatures();
            connected.setProtocolFeatures(connected.getProtocolFeatures() & Protocol.CONFIG);
            ByteBuffer fields =
                    ByteBuffer.wrap(connected.getConfig(0, CONFIG_SIZE)).order(ByteOrder.LITTLE_ENDIAN);
            long block = fields.getLong();
            long address = fields.getLong(ADDRESS_IN_CONFIG);
            long regionSize = fields.getLong(REGION_SIZE_IN_CONFIG);
            if (Long.bitCount(block) != 1
                    || block < GuestRam.PAGE
                    || regionSize <= 0
                    || ((address | regionSize) & (block - 1)) != 0) {
                throw new IOException("the config space is not one of virtio-mem: blocks of " + block
                        + " bytes, a region of " + regionSize + " bytes at 0x" + Long.toHexString(address));
            }
            return new MemSample(address, regionSize);
        }
    }

    @Override
    public String name() {
        return "virtio-mem, the state of the first block";
    }

    @Override
    public int queue() {
        return 0;
    }

    @Override
    public int queues() {
        return 1;
    }

    @Override
    public long[] memory() {
        return new long[] {address, regionSize};
    }

    @Override
    public Request place(AttachedDevice device) {
        GuestRam ram = device.ram();
        long request = ram.allocate(REQUEST_SIZE, Long.BYTES);
        long response = ram.allocate(RESPONSE_SIZE, Long.BYTES);
        return new Request() {
            @Override
            public List<Buffer> prepare() {
                ram.fill(request, REQUEST_SIZE, (byte) 0);
                ram.putShort(request, STATE);
                ram.putLong(request + 8, address);
                ram.putShort(request + 16, 1);
                ram.fill(response, RESPONSE_SIZE, (byte) 0xff);
                return List.of(Buffer.readable(request, REQUEST_SIZE), Buffer.writable(response, RESPONSE_SIZE));
            }

            @Override
            public long leastWritten() {
                return RESPONSE_SIZE;
            }

            @Override
            public void verify(GuestRam memory, Used used) {
                int type = memory.getInt(response) & 0xffff;
                if (type != 0) {
                    throw new Unmet(
                            "STATE of the first block was answered with response type " + type + ", not with ACK");
                }
            }
        };
    }
}
