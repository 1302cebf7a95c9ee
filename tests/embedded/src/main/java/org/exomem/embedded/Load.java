package org.exomem.embedded;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * The load of the guest's program.
 *
 * @param writes pages rewritten per second; {@link #UNLIMITED} for as fast as possible
 * @param churn pages per second that are released and replaced by others
 * @param checks pages read and verified per second
 * @param pressure whether the program takes hinted pages before free ones
 */
record Load(long writes, long churn, long checks, boolean pressure) {
    static final long UNLIMITED = Long.MAX_VALUE;
    /** Nothing is written, and all pages are verified from time to time. */
    static final Load QUIET = new Load(0, 0, 1000, false);

    Load {
        if (writes < 0 || churn < 0 || checks < 0) {
            throw new IllegalArgumentException("a rate must not be negative");
        }
    }

    /** True if no memory is written. */
    boolean isQuiet() {
        return writes == 0 && churn == 0;
    }

    void save(DataOutput out) throws IOException {
        out.writeLong(writes);
        out.writeLong(churn);
        out.writeLong(checks);
        out.writeBoolean(pressure);
    }

    static Load load(DataInput in) throws IOException {
        try {
            return new Load(in.readLong(), in.readLong(), in.readLong(), in.readBoolean());
        } catch (IllegalArgumentException e) {
            throw new IOException("the saved load is invalid: " + e.getMessage(), e);
        }
    }
}
