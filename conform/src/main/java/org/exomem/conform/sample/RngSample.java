package org.exomem.conform.sample;

import java.util.List;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/** virtio-rng (5.4): requests a few random bytes. */
public final class RngSample implements Sample {
    private static final int BYTES = 64;

    @Override
    public String name() {
        return "virtio-rng, a buffer for " + BYTES + " random bytes";
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
        long buffer = device.ram().allocate(BYTES, Long.BYTES);
        return new Request() {
            @Override
            public List<Buffer> prepare() {
                device.ram().fill(buffer, BYTES, (byte) 0);
                return List.of(Buffer.writable(buffer, BYTES));
            }

            /** A device may write fewer bytes than requested, but at least one. */
            @Override
            public long leastWritten() {
                return 1;
            }

            @Override
            public void verify(GuestRam memory, Used used) {
                if (used.written() < 1 || used.written() > BYTES) {
                    throw new Unmet(used.written() + " random bytes were written into a buffer for " + BYTES);
                }
            }
        };
    }
}
