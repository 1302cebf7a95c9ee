package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * In-flight tracking of a split queue (vhost-user, "Inflight I/O tracking", struct QueueRegionSplit; VHU-INF-3).
 *
 * <pre>
 * after the common head:             each entry, by head descriptor:
 *  12  last_batch_head u16            0  inflight u8
 *  14  used_idx u16                   6  next u16, links the last batch
 *  16  desc[desc_num]                 8  counter u64, the order of popping
 * </pre>
 *
 * <p>Every store here is a release, which prevents the compiler from moving a store before an earlier one: when the process
 * is killed, its stores must be there in that order. A batch is always one buffer.
 */
final class SplitInflight {
    static final long DESC_OFFSET = 16;
    static final long DESC_BYTES = 16;

    private static final long LAST_BATCH_HEAD = 12;
    private static final long USED_IDX = 14;
    private static final long INFLIGHT = 0;
    private static final long NEXT = 6;
    private static final long COUNTER = 8;

    private final MemorySegment region;
    private final boolean recovered;
    private final int[] resubmissions;
    private int resubmitted;
    private int lastBatchHead;
    private long counter;

    private SplitInflight(MemorySegment region, int size, int entries, int usedIndex) {
        this.region = region;
        recovered = entries > 0;
        if (recovered) {
            resubmissions = recover(size, entries, usedIndex);
        } else {
            resubmissions = new int[0];
            InflightRegion.clear(region, size);
            LittleEndian.SHORT.set(region, USED_IDX, (short) usedIndex);
            InflightRegion.markInitialised(region);
        }
    }

    /**
     * Initialises the region or recovers its content.
     *
     * @param usedIndex the index in the used ring
     */
    static SplitInflight open(MemorySegment region, int size, int usedIndex) {
        return new SplitInflight(region, size, InflightRegion.entries(region, size, false), usedIndex);
    }

    /**
     * "When reconnecting" (VHU-INF-5): completes the last batch, then finds the heads in flight, in the order of popping.
     */
    private int[] recover(int size, int entries, int usedIndex) {
        int batch = (usedIndex - unsigned(USED_IDX)) & 0xffff;
        if (batch > entries) {
            throw new DriverFault("the used index is " + usedIndex + ", " + batch
                    + " after the used index in the in-flight region, which has only " + entries + " entries");
        }
        lastBatchHead = unsigned(LAST_BATCH_HEAD);
        int head = lastBatchHead;
        for (int i = 0; i < batch; i++) {
            checkEntry(head, entries);
            setInflight(head, false);
            head = unsigned(entry(head) + NEXT);
        }
        checkEntry(lastBatchHead, entries);
        LittleEndian.setShortRelease(region, USED_IDX, (short) usedIndex);

        record Pending(int head, long counter) {}
        List<Pending> pending = new ArrayList<>();
        for (int i = 0; i < entries; i++) {
            if (InflightRegion.isInflight(region, entry(i) + INFLIGHT, i)) {
                if (i >= size) {
                    throw new IllegalArgumentException(
                            "descriptor " + i + " is in flight, but the queue has only " + size + " descriptors");
                }
                pending.add(new Pending(i, (long) LittleEndian.LONG.get(region, entry(i) + COUNTER)));
            }
        }
        pending.sort(Comparator.comparing(Pending::counter, Long::compareUnsigned));
        if (!pending.isEmpty()) {
            counter = pending.getLast().counter() + 1;
        }
        return pending.stream().mapToInt(Pending::head).toArray();
    }

    private static void checkEntry(int head, int entries) {
        if (head >= entries) {
            throw new IllegalArgumentException(
                    "the in-flight region's last batch names entry " + head + " of " + entries);
        }
    }

    /** True if the region came from an earlier back-end. */
    boolean isRecovered() {
        return recovered;
    }

    /** The number of heads that were found in flight at start. */
    int resubmissions() {
        return resubmissions.length;
    }

    boolean hasResubmission() {
        return resubmitted < resubmissions.length;
    }

    /** The head to resubmit next. */
    int resubmission() {
        return resubmissions[resubmitted];
    }

    void resubmitted() {
        resubmitted++;
    }

    void unresubmitted() {
        resubmitted--;
    }

    void unpopped(int head) {
        setInflight(head, false);
    }

    /** VHU-INF-4 */
    void popped(int head) {
        LittleEndian.LONG.setRelease(region, entry(head) + COUNTER, counter);
        counter++;
        setInflight(head, true);
    }

    /** Must be called before the used index is published. */
    void beforeUsed(int head) {
        LittleEndian.setShortRelease(region, entry(head) + NEXT, (short) lastBatchHead);
        lastBatchHead = head;
        LittleEndian.setShortRelease(region, LAST_BATCH_HEAD, (short) head);
    }

    /** Must be called after the used index was published. */
    void afterUsed(int head, int usedIndex) {
        setInflight(head, false);
        LittleEndian.setShortRelease(region, USED_IDX, (short) usedIndex);
    }

    private void setInflight(int head, boolean inflight) {
        LittleEndian.setByteRelease(region, entry(head) + INFLIGHT, (byte) (inflight ? 1 : 0));
    }

    private static long entry(int head) {
        return DESC_OFFSET + DESC_BYTES * head;
    }

    private int unsigned(long offset) {
        return (short) LittleEndian.SHORT.get(region, offset) & 0xffff;
    }
}
