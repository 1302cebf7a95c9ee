package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The statistics queue (VIRTIO, "Memory Statistics"). The driver's buffer holds statistics; the device keeps it, and gives
 * it back to ask for new ones (BAL-STAT-1). Entries are packed, in any order, and each is optional (BAL-STAT-3). Used on the
 * VM's event loop.
 *
 * <pre>
 *  0      2                10
 *  +------+----------------+
 *  | tag  | val            |
 *  +------+----------------+
 * </pre>
 */
final class StatisticsQueue {
    private static final int ENTRY_BYTES = 10;
    private static final int VALUE_OFFSET = 2;
    /** One entry for each 16-bit tag. A larger buffer does not hold statistics. */
    private static final long MOST_BYTES = ENTRY_BYTES * 65536L;

    private static final int ENTRIES_AT_ONCE = 32;
    private static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final StatisticsTag[] TAGS = StatisticsTag.values();

    private final Predicate<Virtqueue> mayPush;
    private final Consumer<Virtqueue> call;
    private final Runnable updated;
    private final StepBudget budget;
    private final MemorySegment copy = MemorySegment.ofArray(new byte[ENTRIES_AT_ONCE * ENTRY_BYTES]);
    private final long[] values = new long[TAGS.length];
    private int present;
    private long lastUpdateSeconds;

    private @Nullable Virtqueue queue;
    private DescriptorChain held = new DescriptorChain();
    private DescriptorChain next = new DescriptorChain();
    private boolean holding;
    /** The driver has its buffer back and has not answered. */
    private boolean asked;
    /** New statistics are wanted, and there was no buffer to give back. */
    private boolean wanted;

    /**
     * @param mayPush true if a buffer may be given back outside of processing
     * @param call notifies the driver of chains pushed outside of processing
     * @param updated runs after new statistics were read
     * @param budget of the steps in which {@link #process} is called
     */
    StatisticsQueue(Predicate<Virtqueue> mayPush, Consumer<Virtqueue> call, Runnable updated, StepBudget budget) {
        this.budget = budget;
        this.mayPush = mayPush;
        this.call = call;
        this.updated = updated;
    }

    void started(Virtqueue started) {
        queue = started;
        forgetBuffer();
    }

    /**
     * The queue stops. If it is to be completed, the buffer is given back, and the driver makes a new one available when it
     * continues. Otherwise the buffer is popped again, or the driver has forgotten it.
     */
    void stopped(boolean completing) {
        Virtqueue current = queue;
        if (completing && holding && current != null) {
            giveBack(current);
            call.accept(current);
        }
        queue = null;
        forgetBuffer();
    }

    private void forgetBuffer() {
        holding = false;
        asked = false;
        wanted = false;
    }

    /** Forgets the statistics. */
    void clear() {
        present = 0;
        lastUpdateSeconds = 0;
    }

    BalloonStatistics statistics() {
        SortedMap<StatisticsTag, Long> map = new TreeMap<>();
        for (StatisticsTag tag : TAGS) {
            if ((present & 1 << tag.tag()) != 0) {
                map.put(tag, values[tag.tag()]);
            }
        }
        return new BalloonStatistics(lastUpdateSeconds, map);
    }

    /**
     * Asks for new statistics, now or as soon as the driver has made a buffer available. Does nothing while an answer is
     * awaited, or if there is no driver.
     */
    void request() {
        Virtqueue current = queue;
        if (current == null || asked) {
            return;
        }
        if (holding && mayPush.test(current)) {
            giveBack(current);
            call.accept(current);
        } else {
            wanted = true;
        }
    }

    /**
     * Takes available buffers, only some of them if there are very many, and keeps the last.
     *
     * @throws DriverFault if a buffer is too large for statistics
     */
    void process(Virtqueue current) {
        while (!budget.isSpent() && current.pop(next)) {
            // BAL-STAT-2: a driver should make one buffer available at most; with two, the older one has been read.
            if (holding) {
                giveBack(current);
            }
            read(next);
            DescriptorChain emptied = held;
            held = next;
            next = emptied;
            holding = true;
            asked = false;
        }
        // BAL-STAT-5: the buffer present when the statistics were requested may be old, even from before a reconnect.
        if (wanted && holding) {
            giveBack(current);
        }
    }

    private void giveBack(Virtqueue current) {
        current.push(held, 0);
        holding = false;
        asked = true;
        wanted = false;
    }

    private void read(DescriptorChain chain) {
        long bytes = chain.readableBytes();
        if (bytes > MOST_BYTES) {
            throw new DriverFault(
                    "a statistics buffer has " + bytes + " bytes; one entry for each possible tag needs " + MOST_BYTES);
        }
        // The remainder of an entry at the end has no meaning.
        long entries = bytes / ENTRY_BYTES;
        budget.spend(StepBudget.RUN * (entries + chain.buffers()));
        if (entries == 0) {
            return;
        }
        // Values of another driver, or of a tag that is no longer supplied, are dropped.
        present = 0;
        for (long entry = 0; entry < entries; entry++) {
            if (entry % ENTRIES_AT_ONCE == 0) {
                chain.read(entry * ENTRY_BYTES, copy);
            }
            long at = entry % ENTRIES_AT_ONCE * ENTRY_BYTES;
            int tag = Short.toUnsignedInt(copy.get(LE_SHORT, at));
            if (tag < TAGS.length) {
                values[tag] = copy.get(LE_LONG, at + VALUE_OFFSET);
                present |= 1 << tag;
            }
        }
        lastUpdateSeconds = System.currentTimeMillis() / 1000;
        updated.run();
    }
}
