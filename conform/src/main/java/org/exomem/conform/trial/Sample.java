package org.exomem.conform.trial;

import java.io.IOException;
import java.util.List;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.Used;

/**
 * A harmless request that a device serves at any time. The checks of rings send it. There is one for each device type.
 */
public interface Sample {
    /** The request's name, for the report: "virtio-blk, a read of sector 0". */
    String name();

    /** The index of the queue that serves it. */
    int queue();

    /** The number of queues, from 0, that must run before the device serves any. */
    int queues();

    /** Mask of virtio feature bits of the device type that the request needs. */
    default long features() {
        return 0;
    }

    /** Whether a device that offers these virtio features may be of this type; for the automatic choice. */
    default boolean fits(long offered) {
        return (offered & features()) == features();
    }

    /**
     * Guest memory that the device needs in addition to the check's own: pairs of guest address and size in bytes,
     * above 16 MiB.
     */
    default long[] memory() {
        return new long[0];
    }

    /** Reserves guest memory for one request. It may be sent any number of times, one at a time. */
    Request place(AttachedDevice device) throws IOException;

    /** One request in guest memory. */
    interface Request {
        /**
         * Writes the request again, with other content than before if the device allows that. Returns its buffers,
         * first readable, then writable.
         */
        List<Buffer> prepare();

        /** The smallest number of bytes that the device writes, from the first writable byte. */
        long leastWritten();

        /** Fails with {@link Unmet} if guest memory contains no valid answer. */
        void verify(GuestRam ram, Used used);
    }
}
