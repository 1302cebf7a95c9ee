package org.exomem.balloon;

import java.util.ArrayList;
import java.util.List;
import org.exomem.pages.PageDescriptors;
import org.exomem.vhostuser.backend.DriverRun;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.Virtqueue;

/**
 * The page descriptors that a driver has sent, and the message with more of them that is being read (FPB-DESC-1). Their
 * number is bounded, whatever the driver sends (FPB-DESC-8).
 *
 * <p>They belong to one run of the driver, which ends when the device is reset (FPB-DESC-9). Front-ends stop and reset a
 * device in the same way when its VM is only paused. So the descriptors are not available while the queue does not run. When
 * it starts where it stopped, its driver has seen no reset, and they are valid again.
 */
final class ToldDescriptors {
    /** The most ranges of all messages together, and the most guards: some MiB of memory. */
    static final int MOST = 1 << 16;

    private final StepBudget budget;
    private final DescriptorMessage message = new DescriptorMessage();
    private final List<PageDescriptors> told = new ArrayList<>();
    private int ranges;
    private int guards;
    /** A message is in hand. */
    private boolean reading;
    /** The driver has made a request buffer available, so it sends no more descriptors. */
    private boolean closed;

    private boolean running;
    /** Where the queue stopped; without meaning while there are no descriptors. */
    private int usedPosition;

    ToldDescriptors(StepBudget budget) {
        this.budget = budget;
    }

    /** The descriptors of the present driver, one element for each message; empty if there is none. */
    List<PageDescriptors> descriptors() {
        return running ? List.copyOf(told) : List.of();
    }

    /** The bytes of memory that the descriptors cover, counted as often as they were sent; 2^63 - 1 if it is more. */
    long bytes() {
        long bytes = 0;
        for (PageDescriptors descriptors : descriptors()) {
            for (PageDescriptors.Range range : descriptors.ranges()) {
                // Ranges may overlap, so the sum may exceed a long although no range does.
                bytes = sumOrMost(bytes, range.pages(), descriptors.pageShift());
            }
        }
        return bytes;
    }

    private static long sumOrMost(long bytes, long pages, int shift) {
        return pages > Long.MAX_VALUE - bytes >>> shift ? Long.MAX_VALUE : bytes + (pages << shift);
    }

    /**
     * Begins with a message.
     *
     * @return false if it does not count: it is malformed, arrives too late, or has more entries than may be kept
     */
    boolean begin(DescriptorChain chain) {
        budget.spend((long) StepBudget.CALL + chain.buffers());
        long start = budget.now();
        reading = !closed && message.begin(chain, MOST - ranges, MOST - guards);
        budget.spendTimeSince(start);
        return reading;
    }

    /** True while a message is in hand that {@link #readSome} is to read on. */
    boolean isReading() {
        return reading;
    }

    /**
     * Reads a part of the message in hand.
     *
     * @return false if it is malformed; it is then dropped
     */
    boolean readSome(DescriptorChain chain) {
        // Time is measured too: this code has seldom run when a guest boots, and is many times slower then.
        long start = budget.now();
        boolean wellFormed = message.isWhole() || readOn(chain);
        if (!wellFormed) {
            drop();
        } else if (message.isWhole()) {
            keep();
            drop();
        }
        budget.spendTimeSince(start);
        return wellFormed;
    }

    private boolean readOn(DescriptorChain chain) {
        budget.spend((long) StepBudget.CALL + chain.buffers() + (long) StepBudget.RUN * DescriptorMessage.PART_RANGES);
        return message.readOn(chain);
    }

    private void keep() {
        PageDescriptors descriptors = message.descriptors();
        // A message without a range has no effect, and there may be any number of them.
        if (!descriptors.ranges().isEmpty()) {
            told.add(descriptors);
            ranges += descriptors.ranges().size();
            guards += descriptors.guards().size();
        }
    }

    /** Forgets the message in hand. */
    void drop() {
        reading = false;
        message.drop();
    }

    /** The driver has made a request buffer available. */
    void close() {
        closed = true;
    }

    /** The queue starts, with nothing in hand. */
    void started(Virtqueue queue) {
        if (DriverRun.of(queue) != DriverRun.GOES_ON || queue.usedPosition() != usedPosition) {
            forget();
        }
        running = true;
    }

    /** The queue stops; the caller has given chains back. */
    void stopped(Virtqueue queue) {
        drop();
        running = false;
        usedPosition = queue.usedPosition();
    }

    /** The next driver is another one, wherever its queue starts. */
    void forget() {
        told.clear();
        ranges = 0;
        guards = 0;
        closed = false;
    }
}
