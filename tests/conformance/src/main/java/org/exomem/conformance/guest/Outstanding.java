package org.exomem.conformance.guest;

import java.util.ArrayDeque;
import java.util.Arrays;
import org.exomem.conformance.frontend.WrongAnswerException;

/**
 * The chains of one ring that the device has: the number of descriptors of each, the number of bytes that the device
 * may write, and, if chains return in order, their order.
 */
final class Outstanding {
    private static final int NO_BATCH = -1;

    private final int[] slots;
    private final long[] writable;
    private final boolean inOrder;
    private final ArrayDeque<Integer> order = new ArrayDeque<>();
    private int batchEnd = NO_BATCH;
    private long batchWritten;
    private int count;

    Outstanding(int ids, boolean inOrder) {
        this.slots = new int[ids];
        this.writable = new long[ids];
        this.inOrder = inOrder;
        Arrays.fill(slots, 0);
    }

    int count() {
        return count;
    }

    void add(int id, int slotCount, long writableBytes) {
        slots[id] = slotCount;
        writable[id] = writableBytes;
        count++;
        if (inOrder) {
            order.add(id);
        }
    }

    /** True while chains remain of a batch that returned with one used entry for all (VQ-ORD-2). */
    boolean inBatch() {
        return batchEnd != NO_BATCH;
    }

    /** The device wrote a used entry. */
    void used(int id, long written) {
        if (id < 0 || id >= slots.length || slots[id] == 0) {
            throw new WrongAnswerException("the device used id " + id + ", which it did not have");
        }
        batchEnd = id;
        batchWritten = written;
    }

    /** The next returned chain, after {@link #used}. */
    Used next() {
        if (!inOrder) {
            Used used = new Used(batchEnd, batchWritten);
            batchEnd = NO_BATCH;
            return used;
        }
        Integer id = order.poll();
        if (id == null) {
            throw new WrongAnswerException("the device used id " + batchEnd + " out of order");
        }
        if (id != batchEnd) {
            // A chain without a used entry of its own counts as completely written.
            return new Used(id, writable[id]);
        }
        batchEnd = NO_BATCH;
        return new Used(id, batchWritten);
    }

    /** Removes a chain. Returns the number of descriptors that become free. */
    int remove(int id) {
        int freed = slots[id];
        slots[id] = 0;
        count--;
        return freed;
    }
}
