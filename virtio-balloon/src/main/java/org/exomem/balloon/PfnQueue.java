package org.exomem.balloon;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.LongPredicate;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The common part of the inflate and the deflate queue. The page numbers of all available chains are gathered and take
 * effect together, in long runs; only then are the chains given back (BAL-INF-1, BAL-INF-3). A buffer may have any length
 * (BAL-INF-2). Used on the VM's event loop.
 *
 * <p>A step of the event loop does as much of this as its {@link StepBudget} allows. Between two steps chains stay in hand,
 * and one of them may be read in part:
 *
 * <pre>
 *          a chain is available                  no chain is left, or enough is gathered
 *   IDLE -----------------------> GATHERING ----------------------------------------------> APPLYING
 *    ^                                ^                                                         |
 *    |                                |  the batch was full in the middle of a chain            |
 *    |                                +---------------------------------------------------------+
 *    +-------- the batch has had its effect, and the chains were given back --------------------+
 * </pre>
 */
final class PfnQueue {
    /** The effect of a sorted batch of pages. */
    interface Effect {
        /** Begins with a new batch. */
        void begin(PfnBatch batch);

        /** Continues the batch within the step's budget; returns true when all is done. */
        boolean goOn(PfnBatch batch);
    }

    // Enough to keep a driver busy that fills its queue while a batch takes effect.
    private static final int MOST_CHAINS = 256;
    /** The number of buffers of gathered chains at which they are given back, because each costs memory. */
    private static final int MOST_BUFFERS = 4096;
    /** The most page numbers in one chain: 16 GiB of memory. A longer chain could only block the queue. */
    private static final long MOST_IN_CHAIN = 1 << 22;

    private final PfnBatch batch = new PfnBatch();
    private final GuestMemory memory;
    private final LongPredicate leaving;
    private final Effect effect;
    private final LeftAlone leftAlone;
    private final StepBudget budget;

    // Made when first needed, then reused. The first ones hold the gathered chains.
    private final List<DescriptorChain> chains = new ArrayList<>();
    /** The position of the queue before each of these was taken. */
    private int[] positions = new int[1];

    private int gathered;
    private int gatheredBuffers;
    /** The batch is taking effect. */
    private boolean applying;
    /** The chain after the gathered ones is read up to byte {@link #at} of buffer {@link #buffer}. */
    private boolean reading;

    private int buffer;
    private long at;
    /** The bytes of a page number that crosses the border of two buffers. */
    private int partial;

    private int partialBytes;
    /** The fault of the next chain; thrown after the chains before it have had their effect. */
    private @Nullable DriverFault fault;

    /**
     * @param leaving pages that may be named although they are not in memory
     * @param effect what is done with the pages
     * @param leftAlone receives pages that are not in memory
     * @param budget of the steps in which {@link #process} is called
     */
    PfnQueue(GuestMemory memory, LongPredicate leaving, Effect effect, LeftAlone leftAlone, StepBudget budget) {
        this.memory = memory;
        this.leaving = leaving;
        this.effect = effect;
        this.leftAlone = leftAlone;
        this.budget = budget;
    }

    /**
     * Takes and gives back available chains; only some of them if there are very many. Pages that are not in memory, and the
     * remainder of a buffer after its last whole page number, are left alone (BAL-INF-4, BAL-INF-7).
     *
     * @return true if chains are in hand that the next call continues
     * @throws DriverFault if a chain breaks a rule of the ring, or has more page numbers than are allowed; the chains before
     *     it have had their effect
     */
    boolean process(Virtqueue queue) {
        while (true) {
            if (applying) {
                if (!effect.goOn(batch)) {
                    return true;
                }
                settle(queue);
                if (!reading && !mayGather()) {
                    return stopAtFault();
                }
            }
            if (budget.isSpent()) {
                return isHolding();
            }
            if (reading) {
                read();
            } else if (!mayGather() || !next(queue)) {
                if (gathered == 0) {
                    return stopAtFault();
                }
                begin();
            }
        }
    }

    private boolean isHolding() {
        return applying || hasChains() || fault != null;
    }

    /** True while chains were taken and not given back. */
    boolean hasChains() {
        return reading || gathered > 0;
    }

    /** The position of the queue as the driver sees it, without the chains in hand; a number as {@link Virtqueue#base}. */
    int settledPosition(Virtqueue queue) {
        return hasChains() ? positions[0] : queue.base();
    }

    /** False if the gathered chains must take effect first. */
    private boolean mayGather() {
        return fault == null && gathered < MOST_CHAINS && gatheredBuffers < MOST_BUFFERS && !batch.isFull();
    }

    private boolean stopAtFault() {
        DriverFault found = fault;
        if (found != null) {
            fault = null;
            throw found;
        }
        return false;
    }

    /** Takes the next chain, if there is one without a fault. */
    private boolean next(Virtqueue queue) {
        if (gathered == chains.size()) {
            chains.add(new DescriptorChain());
            positions = positions.length < chains.size() ? Arrays.copyOf(positions, 2 * positions.length) : positions;
        }
        positions[gathered] = queue.base();
        DescriptorChain chain = chains.get(gathered);
        try {
            if (!queue.pop(chain)) {
                return false;
            }
            if (chain.readableBytes() >> 2 > MOST_IN_CHAIN) {
                // As for a chain that cannot be popped: a stop gives back the chains before it, and none after it.
                queue.unpop(chain);
                throw new DriverFault("a buffer has " + (chain.readableBytes() >> 2) + " page numbers; the limit is "
                        + MOST_IN_CHAIN);
            }
        } catch (DriverFault e) {
            fault = e;
            return false;
        }
        budget.spend((long) StepBudget.RUN * chain.buffers());
        reading = true;
        buffer = 0;
        at = 0;
        partial = 0;
        partialBytes = 0;
        return true;
    }

    /** Reads on in the chain until it ends, the batch is full or the budget is spent. */
    private void read() {
        DescriptorChain chain = chains.get(gathered);
        while (buffer < chain.readableBuffers()) {
            long length = chain.length(buffer);
            while (at < length) {
                if (batch.isFull()) {
                    begin();
                    return;
                }
                if (budget.isSpent()) {
                    return;
                }
                if (partialBytes > 0 || length - at < Integer.BYTES) {
                    readByte(chain);
                } else {
                    int numbers = batch.add(chain, buffer, at, (length - at) >>> 2, memory, leaving, leftAlone);
                    budget.spend((long) StepBudget.PAGE_NUMBER * numbers);
                    at += (long) Integer.BYTES * numbers;
                }
            }
            buffer++;
            at = 0;
        }
        if (partialBytes > 0) {
            leftAlone.cutNumber();
        }
        finishReading(chain);
    }

    private void readByte(DescriptorChain chain) {
        int value = chain.region(buffer).segment().get(JAVA_BYTE, chain.offset(buffer) + at) & 0xff;
        partial |= value << 8 * partialBytes;
        partialBytes++;
        at++;
        if (partialBytes == Integer.BYTES) {
            batch.add(partial, memory, leaving, leftAlone);
            budget.spend(StepBudget.PAGE_NUMBER);
            partial = 0;
            partialBytes = 0;
        }
    }

    private void finishReading(DescriptorChain chain) {
        reading = false;
        gathered++;
        gatheredBuffers += chain.buffers();
    }

    private void begin() {
        applying = true;
        batch.sort();
        effect.begin(batch);
    }

    /** The batch has had its effect: gives the gathered chains back. */
    private void settle(Virtqueue queue) {
        applying = false;
        batch.clear();
        for (int i = 0; i < gathered; i++) {
            queue.push(chains.get(i), 0);
        }
        if (reading) {
            Collections.swap(chains, gathered, 0);
            positions[0] = positions[gathered];
        }
        gathered = 0;
        gatheredBuffers = 0;
    }

    /** Guest memory has changed: a chain that was read in part may have another place, or none. */
    void memoryChanged() {
        batch.forgetRegion();
        if (reading) {
            DescriptorChain chain = chains.get(gathered);
            if (!chain.relocate(buffer, memory)) {
                leftAlone.pages(remaining(chain));
                finishReading(chain);
            }
        }
    }

    private long remaining(DescriptorChain chain) {
        long bytes = partialBytes - at;
        for (int i = buffer; i < chain.readableBuffers(); i++) {
            bytes += chain.length(i);
        }
        return bytes >> 2;
    }

    /**
     * The queue stops. Chains in hand become available again, so the process that serves the queue next begins them anew.
     * Putting a page in or taking it out twice has the same effect as once (BAL-INF-6, BAL-STEP-2).
     *
     * @param completing true if the queue continues from its position; otherwise its chains are gone
     */
    void stopped(Virtqueue queue, boolean completing) {
        if (completing) {
            for (int i = reading ? gathered : gathered - 1; i >= 0; i--) {
                queue.unpop(chains.get(i));
            }
        }
        batch.clear();
        gathered = 0;
        gatheredBuffers = 0;
        applying = false;
        reading = false;
        fault = null;
    }
}
