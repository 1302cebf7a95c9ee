package org.exomem.conform.sample;

import java.util.List;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/** virtio-blk (5.2): reads the first sector. */
public final class BlkSample implements Sample {
    private static final int HEADER_SIZE = 16;
    private static final int SECTOR_SIZE = 512;
    private static final int STATUS_SIZE = 1;
    private static final byte UNWRITTEN = (byte) 0xff;

    @Override
    public String name() {
        return "virtio-blk, a read of sector 0";
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
    public Request place(AttachedDevice device) {
        GuestRam ram = device.ram();
        long header = ram.allocate(HEADER_SIZE, Long.BYTES);
        long data = ram.allocate(SECTOR_SIZE, SECTOR_SIZE);
        long status = ram.allocate(STATUS_SIZE, Long.BYTES);
        return new Request() {
            @Override
            public List<Buffer> prepare() {
                // The type IN and the sector number 0 are zeros.
                ram.fill(header, HEADER_SIZE, (byte) 0);
                ram.fill(data, SECTOR_SIZE, UNWRITTEN);
                ram.fill(status, STATUS_SIZE, UNWRITTEN);
                return List.of(
                        Buffer.readable(header, HEADER_SIZE),
                        Buffer.writable(data, SECTOR_SIZE),
                        Buffer.writable(status, STATUS_SIZE));
            }

            @Override
            public long leastWritten() {
                return SECTOR_SIZE + STATUS_SIZE;
            }

            @Override
            public void verify(GuestRam memory, Used used) {
                byte answer = memory.getByte(status);
                if (answer != 0) {
                    throw new Unmet("a read of sector 0 has status " + Byte.toUnsignedInt(answer)
                            + (answer == UNWRITTEN ? ", which is the initial value of the byte" : ", not 0 (OK)"));
                }
            }
        };
    }
}
