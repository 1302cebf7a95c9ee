package org.exomem.conform.sample;

import java.util.List;
import org.exomem.conform.trial.Sample;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/** virtio-balloon (5.5): puts one page into the balloon, at each request. */
public final class BalloonSample implements Sample {
    private static final int PFN_SIZE = 4;

    @Override
    public String name() {
        return "virtio-balloon, inflate by one page";
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
        long page = ram.allocate(GuestRam.PAGE, GuestRam.PAGE);
        long pfn = ram.allocate(PFN_SIZE, PFN_SIZE);
        return new Request() {
            @Override
            public List<Buffer> prepare() {
                ram.putInt(pfn, (int) (page / GuestRam.PAGE));
                return List.of(Buffer.readable(pfn, PFN_SIZE));
            }

            @Override
            public long leastWritten() {
                return 0;
            }

            @Override
            public void verify(GuestRam memory, Used used) {
                // The device may change the page as it likes, and writes no answer.
            }
        };
    }
}
