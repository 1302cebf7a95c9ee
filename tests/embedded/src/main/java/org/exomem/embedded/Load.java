package org.exomem.embedded;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/**
 * How busy the guest's program is.
 *
 * @param writes pages written anew per second; {@link #UNLIMITED} for as fast as it can
 * @param churn pages given up and others taken in their place, per second
 * @param checks pages read and verified per second
 * @param pressure whether pages that are lent out for hinting are taken before free ones
 */
record Load(long writes, long churn, long checks, boolean pressure) {
    static final long UNLIMITED = Long.MAX_VALUE;
    /** Nothing is written, and all pages are verified from time to time. */
    static final Load QUIET = new Load(0, 0, 1000, false);

    Load {
        if (writes < 0 || churn < 0 || checks < 0) {
            throw new IllegalArgumentException("a rate is not negative");
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
            throw new IOException("the saved load is impossible: " + e.getMessage(), e);
        }
    }
}
