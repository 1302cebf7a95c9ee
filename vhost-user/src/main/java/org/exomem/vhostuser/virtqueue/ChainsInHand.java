package org.exomem.vhostuser.virtqueue;

import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * The chains that the device has popped and not pushed: by id, and with IN_ORDER by order (VQ-ORD-2). Prevents a driver from
 * making a chain available twice, and a device from giving one back out of order.
 */
final class ChainsInHand {
    private final BitSet held;
    private final char @Nullable [] order;
    private int first;
    private int count;

    ChainsInHand(int size, boolean inOrder) {
        held = new BitSet(size);
        order = inOrder ? new char[size] : null;
    }

    /** Fails if the driver offers a chain that the device still has. Changes nothing. */
    void checkFree(int id) {
        if (held.get(id)) {
            throw new DriverFault("buffer " + id + " was made available again before it was used");
        }
    }

    /** How many chains the device has. */
    int count() {
        return count;
    }

    void take(int id) {
        held.set(id);
        if (order != null) {
            order[(first + count) % order.length] = (char) id;
        }
        count++;
    }

    /** Undoes {@link #take} of the last chain. */
    void forgetLast(int id) {
        if (order != null && order[(first + count - 1) % order.length] != id) {
            throw new IllegalStateException("buffer " + id + " is not the one that was popped last");
        }
        held.clear(id);
        count--;
    }

    void giveBack(int id) {
        if (order != null) {
            if (order[first] != id) {
                throw new IllegalStateException("IN_ORDER was negotiated: buffer " + (int) order[first]
                        + " must be pushed before buffer " + id);
            }
            first = first + 1 == order.length ? 0 : first + 1;
        }
        held.clear(id);
        count--;
    }
}
