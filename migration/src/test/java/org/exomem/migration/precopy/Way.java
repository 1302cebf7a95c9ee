package org.exomem.migration.precopy;

import java.util.ArrayDeque;
import java.util.Deque;
import org.exomem.migration.Chance;
import org.exomem.migration.ConnectionLostException;

/**
 * The way to a destination: what is sent arrives later, in its order, and at a barrier at the latest. When the way is cut,
 * some of it has arrived, and the rest never does. For one thread at a time.
 */
final class Way {
    private final Chance chance;
    /** 0: never cut; otherwise cut once in so many times that it is used. */
    private final int cutting;

    private final Deque<Runnable> under = new ArrayDeque<>();
    private int cutsLeft = 6;
    private long barriers;

    Way(Chance chance, int cutting) {
        this.chance = chance;
        this.cutting = cutting;
    }

    /** @param arrival what it does at the destination */
    void send(Runnable arrival) throws ConnectionLostException {
        cut();
        under.add(arrival);
        if (chance.oneIn(2)) {
            arrive(under.size());
        }
    }

    /** Passed also if it is the answer that is lost. */
    void barrier() throws ConnectionLostException {
        cut();
        arrive(under.size());
        barriers++;
        cut();
    }

    /** How many barriers have been passed. */
    long barriers() {
        return barriers;
    }

    /** After a cut: some of what was under way arrives, the rest never. */
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
