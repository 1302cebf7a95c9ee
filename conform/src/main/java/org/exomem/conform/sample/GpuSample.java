package org.exomem.conform.sample;

import java.util.List;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/**
 * virtio-gpu (5.7): releases a resource that does not exist, which is an error. A device needs no display for that. A
 * request for the list of displays would need one from the VMM.
 *
 * <pre>
 *  0  u32 type  u32 flags  u64 fence  u32 context  u8 ring  3 bytes of padding
 * 24  u32 resource  u32 padding                                                     in the request only
 * </pre>
 */
public final class GpuSample implements Sample {
    private static final int HEADER_SIZE = 24;
    private static final int REQUEST_SIZE = HEADER_SIZE + 8;
    private static final int RESOURCE_UNREF = 0x102;
    private static final int INVALID_RESOURCE_ID = 0x1203;
    private static final int NO_SUCH_RESOURCE = 0x7fff_0000;

    @Override
    public String name() {
        return "virtio-gpu, the release of a resource that does not exist";
    }

    @Override
    public int queue() {
        return 0;
    }

    @Override
    public int queues() {
        return 2;
    }

    @Override
    public Request place(AttachedDevice device) {
        GuestRam ram = device.ram();
        long request = ram.allocate(REQUEST_SIZE, Long.BYTES);
        long answer = ram.allocate(HEADER_SIZE, Long.BYTES);
        return new Request() {
            private int resource = NO_SUCH_RESOURCE;

            @Override
            public List<Buffer> prepare() {
                ram.fill(request, REQUEST_SIZE, (byte) 0);
                ram.putInt(request, RESOURCE_UNREF);
                ram.putInt(request + HEADER_SIZE, resource++);
                ram.fill(answer, HEADER_SIZE, (byte) 0xff);
                return List.of(Buffer.readable(request, REQUEST_SIZE), Buffer.writable(answer, HEADER_SIZE));
            }

            @Override
            public long leastWritten() {
                return HEADER_SIZE;
            }

            @Override
            public void verify(GuestRam memory, Used used) {
                int type = memory.getInt(answer);
                if (type != INVALID_RESOURCE_ID) {
                    throw new Unmet("the release of a resource that does not exist was answered with type 0x"
                            + Integer.toHexString(type) + ", not with ERR_INVALID_RESOURCE_ID (0x1203)");
                }
            }
        };
    }
}
