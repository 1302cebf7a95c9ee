package org.exomem.conform.trial;

import java.io.IOException;
import java.util.List;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/** A request that a device serves at any time and that does no harm: what the checks of rings send. One for each type of device. */
public interface Sample {
    /** What it is, for the report: "virtio-blk, a read of sector 0". */
    String name();

    /** The queue that serves it. */
    int queue();

    /** How many queues, from 0 on, must run before the device serves any. */
    int queues();

    /** Virtio feature bits of the device type that the request needs, as a mask. */
    default long features() {
        return 0;
    }

    /** Whether a session that offers these virtio features may be of the type; the automatic choice asks. */
    default boolean fits(long offered) {
        return (offered & features()) == features();
    }

    /** Guest memory that the device needs beside the check's own: pairs of guest address and size in bytes, above 16 MiB. */
    default long[] memory() {
        return new long[0];
    }

    /** Makes room for one request in guest memory. To be sent any number of times, one at a time. */
    Request place(AttachedDevice device) throws IOException;

    /** One request in guest memory. */
    interface Request {
        /** Writes it anew, with other content than before where the device allows that; returns its buffers: readable, then writable. */
        List<Buffer> prepare();

        /** The fewest bytes that the device writes, from the first writable byte on. */
        long leastWritten();

        /** Fails with {@link Unmet} if the answer in guest memory is none. */
        void verify(GuestRam ram, Used used);
    }
}
