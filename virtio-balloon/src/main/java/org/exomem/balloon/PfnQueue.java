package org.exomem.balloon;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.LongPredicate;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;

/**
 * What the inflate and the deflate queue have in common: the page numbers of all chains that are available are gathered,
 * take effect together in long runs, and only then are the chains given back.
 */
final class PfnQueue {
    /** What is done with the pages of a batch, which is sorted. */
    @FunctionalInterface
    interface Effect {
        void apply(PfnBatch batch);
    }

    // Enough to keep a driver busy that fills its queue while a batch takes effect.
    private static final int MOST_CHAINS = 256;
    /** Buffers of gathered chains beyond which they are given back, because each costs memory. */
    private static final int MOST_BUFFERS = 4096;
    /** Page numbers (4 bytes each) after which the rest waits, so that the event loop can do something else. */
    private static final long MOST_AT_ONCE = 1 << 18;
    /** Page numbers in one chain: 16 GiB of memory. More would keep the event loop for too long. */
    private static final long MOST_IN_CHAIN = 1 << 22;

    private final PfnBatch batch = new PfnBatch();
    // Made when first needed, then used again and again. The first ones hold what is gathered.
    private final List<DescriptorChain> chains = new ArrayList<>();
    private int gathered;
    private int gatheredBuffers;

    /**
     * Takes and gives back what is available, or a part of it if that is very much.
     *
     * @param leaving pages that may be named though they are not in memory
     * @throws DriverFault if a buffer is no array of page numbers, or a page is not in memory. The chain's pages are left
     *     alone unless there are more than a batch holds; the chains before it have had their effect
     */
    void process(Virtqueue queue, GuestMemory memory, LongPredicate leaving, Effect effect) {
        batch.clear();
        gathered = 0;
        gatheredBuffers = 0;
        long numbers = 0;
        try {
            for (DescriptorChain chain = next(); numbers < MOST_AT_ONCE && queue.pop(chain); chain = next()) {
                gather(chain, queue, memory, leaving, effect);
                numbers += chain.readableBytes() >> 2;
                gathered++;
                gatheredBuffers += chain.buffers();
                if (gathered == MOST_CHAINS || gatheredBuffers >= MOST_BUFFERS) {
                    settle(queue, effect);
                }
            }
        } catch (DriverFault e) {
            settle(queue, effect);
            throw e;
        }
        settle(queue, effect);
    }

    private DescriptorChain next() {
        if (gathered == chains.size()) {
            chains.add(new DescriptorChain());
        }
        return chains.get(gathered);
    }

    private void gather(
            DescriptorChain chain, Virtqueue queue, GuestMemory memory, LongPredicate leaving, Effect effect) {
        if ((chain.readableBytes() & 3) != 0) {
            throw new DriverFault("a buffer of " + chain.readableBytes()
                    + " bytes is no array of page numbers, which have 4 bytes each");
        }
        if (chain.readableBytes() >> 2 > MOST_IN_CHAIN) {
            throw new DriverFault("a buffer has " + (chain.readableBytes() >> 2) + " page numbers; at most "
                    + MOST_IN_CHAIN + " are taken at once");
        }
        int before = batch.count();
        // A page number may be cut by the border of two buffers.
        int partial = 0;
        int partialBytes = 0;
        try {
            for (int i = 0; i < chain.readableBuffers(); i++) {
                long length = chain.length(i);
                long at = 0;
                while (at < length) {
                    if (batch.isFull()) {
                        int current = gathered;
                        settle(queue, effect);
                        Collections.swap(chains, current, 0);
                        before = 0;
                    }
                    if (partialBytes > 0 || length - at < 4) {
                        int value = chain.region(i).segment().get(JAVA_BYTE, chain.offset(i) + at) & 0xff;
                        partial |= value << 8 * partialBytes;
                        partialBytes++;
                        at++;
                        if (partialBytes == 4) {
                            batch.add(partial, memory, leaving);
                            partial = 0;
                            partialBytes = 0;
                        }
                    } else {
                        at += 4L * batch.add(chain, i, at, length - at >>> 2, memory, leaving);
                    }
                }
            }
        } catch (DriverFault e) {
            batch.truncate(before);
            throw e;
        }
    }

    /** Does what the batch asks for, and gives the gathered chains back. */
    private void settle(Virtqueue queue, Effect effect) {
        if (!batch.isEmpty()) {
            batch.sort();
            effect.apply(batch);
            batch.clear();
        }
        for (int i = 0; i < gathered; i++) {
            queue.push(chains.get(i), 0);
        }
        gathered = 0;
        gatheredBuffers = 0;
    }
}
