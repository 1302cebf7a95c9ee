package org.exomem.migration.precopy;

import java.util.ArrayDeque;
import java.util.Deque;
import org.exomem.migration.Chance;
import org.exomem.migration.ConnectionLostException;

/**
 * The connection to a destination. What is sent arrives later, in order, and at a barrier at the latest. When the
 * connection is cut, a part of it has arrived, and the rest never does. For one thread at a time.
 */
final class Way {
    private final Chance chance;
    /** 0: never cut; otherwise cut once in so many uses on average. */
    private final int cutting;

    private final Deque<Runnable> under = new ArrayDeque<>();
    private int cutsLeft = 6;
    private long barriers;

    Way(Chance chance, int cutting) {
        this.chance = chance;
        this.cutting = cutting;
    }

    /** @param arrival the effect at the destination */
    void send(Runnable arrival) throws ConnectionLostException {
        cut();
        under.add(arrival);
        if (chance.oneIn(2)) {
            arrive(under.size());
        }
    }

    /** The barrier counts as passed even if only its answer is lost. */
    void barrier() throws ConnectionLostException {
        cut();
        arrive(under.size());
        barriers++;
        cut();
    }

    /** The number of barriers that were passed. */
    long barriers() {
        return barriers;
    }

    /** After a cut: a part of the data on the way arrives, the rest never does. */
    void lose() {
        arrive(chance.below(under.size() + 1));
        under.clear();
    }

    private void arrive(int messages) {
        for (int i = 0; i < messages; i++) {
            under.remove().run();
        }
    }

    private void cut() throws ConnectionLostException {
        if (cutting > 0 && cutsLeft > 0 && chance.oneIn(cutting)) {
            cutsLeft--;
            throw new ConnectionLostException("cut", null);
        }
    }
}
