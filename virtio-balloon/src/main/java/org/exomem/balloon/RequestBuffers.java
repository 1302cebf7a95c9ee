package org.exomem.balloon;

import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.Virtqueue;

/**
 * The buffers that a driver has made available for requests, oldest first, and the chain to pop next, which may become one
 * of them.
 */
final class RequestBuffers {
    /** The most buffers that are kept. A driver has one (FPB-REQ-1). */
    private static final int MOST = 4;

    /** The kept buffers, and after them the chain to pop into. */
    private final DescriptorChain[] chains = new DescriptorChain[MOST + 1];

    private int held;

    RequestBuffers() {
        for (int i = 0; i < chains.length; i++) {
            chains[i] = new DescriptorChain();
        }
    }

    boolean isEmpty() {
        return held == 0;
    }

    /** The buffer to use first; there must be one. */
    DescriptorChain first() {
        return chains[0];
    }

    /** The chain to pop into. */
    DescriptorChain next() {
        return chains[held];
    }

    /** Returns the popped chain, and uses {@code other} to pop into from now on. */
    DescriptorChain exchangeNext(DescriptorChain other) {
        DescriptorChain popped = chains[held];
        chains[held] = other;
        return popped;
    }

    /** Keeps the chain that was popped last. If there are too many, the oldest is given back. */
    void hold(Virtqueue queue) {
        held++;
        if (held == chains.length) {
            giveBack(queue, 0);
        }
    }

    /** Gives the first buffer back, with {@code length} bytes written. */
    void giveBack(Virtqueue queue, int length) {
        DescriptorChain first = chains[0];
        System.arraycopy(chains, 1, chains, 0, held - 1);
        held--;
        chains[held] = first;
        queue.push(first, length);
    }

    /** Gives all kept buffers back without a request (FPB-REQ-6). */
    void giveAllBack(Virtqueue queue) {
        while (held > 0) {
            giveBack(queue, 0);
        }
    }

    /** Forgets all buffers: the driver has them again, or has forgotten them. */
    void forget() {
        held = 0;
    }

    /** Finds the buffers in changed memory; false if one has no place in it any more. */
    boolean relocate(GuestMemory memory) {
        boolean all = true;
        for (int i = 0; i < held; i++) {
            all &= chains[i].relocate(0, memory);
        }
        return all;
    }
}
