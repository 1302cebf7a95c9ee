package org.exomem.balloon;

import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.Virtqueue;

/** The buffers in which a driver waits for requests, the oldest first; and the chain that is popped next, which may become one. */
final class RequestBuffers {
    /** The most that are kept. A driver has one (FPB-REQ-1). */
    private static final int MOST = 4;

    /** Those that are kept, and behind them the one to pop into. */
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

    /** The one that is used first; there must be one. */
    DescriptorChain first() {
        return chains[0];
    }

    /** The chain to pop into. */
    DescriptorChain next() {
        return chains[held];
    }

    /** Takes the chain that was popped, and gives another one to pop into. */
    DescriptorChain exchangeNext(DescriptorChain other) {
        DescriptorChain popped = chains[held];
        chains[held] = other;
        return popped;
    }

    /** Keeps the chain that was popped last. Of one more than are kept the oldest goes back. */
    void hold(Virtqueue queue) {
        held++;
        if (held == chains.length) {
            giveBack(queue, 0);
        }
    }

    /** Gives the first one back with that many bytes written. */
    void giveBack(Virtqueue queue, int length) {
        DescriptorChain first = chains[0];
        System.arraycopy(chains, 1, chains, 0, held - 1);
        held--;
        chains[held] = first;
        queue.push(first, length);
    }

    /** Gives all back that are kept, without a request (FPB-REQ-6). */
    void giveAllBack(Virtqueue queue) {
        while (held > 0) {
            giveBack(queue, 0);
        }
    }

    /** All are the driver's again, or were forgotten by it. */
    void forget() {
        held = 0;
    }

    /** Finds them in memory that has changed; false if one has no place there any more. */
    boolean relocate(GuestMemory memory) {
        boolean all = true;
        for (int i = 0; i < held; i++) {
            all &= chains[i].relocate(0, memory);
        }
        return all;
    }
}
