package org.exomem.conform.checks.inflight;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.guest.RingDriver;

/** The in-flight area of split queues. */
final class SplitAreaChecks {
    static final List<Check> ALL = List.of(
            Check.of("vhost.inflight.1", "the back-end creates an in-flight area and uses it", SplitAreaChecks::made),
            Check.of(
                    "vhost.inflight.2",
                    "each queue has its own region, in the order of the queues",
                    SplitAreaChecks::regions),
            Check.of("vhost.inflight.3", "the region of a split queue begins with its header", SplitAreaChecks::header),
            Check.of(
                    "vhost.inflight.4",
                    "a split queue's region has an entry for each descriptor",
                    SplitAreaChecks::entries),
            Check.of(
                    "vhost.inflight.6",
                    "counters of a split queue count the requests that were taken",
                    SplitAreaChecks::counters),
            Check.of("vhost.inflight.7", "last_batch_head is the head that was used last", SplitAreaChecks::lastBatch),
            Check.of(
                    "vhost.inflight.9",
                    "entries of chains that a split queue has used are not in flight",
                    SplitAreaChecks::cleared),
            Check.of(
                    "vhost.inflight.10",
                    "a batch that a split queue published but did not record is completed",
                    SplitAreaChecks::batchIsCompleted),
            Check.of(
                            "vhost.inflight.11",
                            "requests that a split queue had in flight are submitted again, and no others",
                            trial -> resubmitted(trial, false))
                    .and("vhost.inflight.29"),
            Check.of(
                            "vhost.inflight.29",
                            "requests that a killed back-end had in flight are submitted again, split ring",
                            trial -> resubmitted(trial, true))
                    .and("vhost.inflight.11"));

    private static final int LAST_BATCH_HEAD = 12;
    private static final int USED_IDX = 14;
    private static final int HEADER = 16;
    private static final int ENTRY = 16;
    private static final int NEXT = 6;
    private static final int COUNTER = 8;
    private static final int CHAINS = 3;
    private static final int USED_ENTRY = 8;

    private SplitAreaChecks() {}

    private static long entry(int head) {
        return HEADER + (long) ENTRY * head;
    }

    private static void made(Trial trial) throws Exception {
        Tracked tracked = Tracked.start(trial, Tracked.WISH);
        for (int i = 0; i < CHAINS; i++) {
            tracked.session().serve();
        }
    }

    private static void regions(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, Tracked.WISH, 1);
        int queues = tracked.session().device().rings().size();
        if (queues < 2) {
            throw new Skipped("the device needs one queue only");
        }
        int size = tracked.ring().size();
        long packed = HEADER + (long) ENTRY * size;
        long most = tracked.areaSize() / queues;
        // The document does not define the space between regions. They may begin at cache lines or pages.
        for (long stride : new long[] {most, packed, packed + 63 & -64, packed + 4095 & -4096}) {
            boolean all = stride <= most;
            for (int queue = 0; queue < queues && all; queue++) {
                all = tracked.u16OfArea(queue * stride + Tracked.VERSION_AT) == 1
                        && tracked.u16OfArea(queue * stride + Tracked.ENTRIES_AT) >= size;
            }
            if (all) {
                trial.transcript().say("a region has " + stride + " bytes");
                return;
            }
        }
        trial.expect(
                false,
                "the area of " + tracked.areaSize() + " bytes does not have a region of at least " + packed
                        + " bytes for each of the " + queues + " running queues, one after the other");
    }

    private static void header(Trial trial) throws Exception {
        Tracked tracked = Tracked.start(trial, Tracked.WISH);
        tracked.session().serve();
        expectHeader(trial, tracked);
        int usedIndex = tracked.ring().usedBase();
        trial.expect(
                trial.within(() -> tracked.u16(USED_IDX) == usedIndex),
                "used_idx is " + tracked.u16(USED_IDX) + ", but the ring's is " + usedIndex);
    }

    static void expectHeader(Trial trial, Tracked tracked) {
        trial.expect(tracked.u64(0) == 0, "features is " + tracked.u64(0) + ", not 0");
        trial.expect(
                tracked.u16(Tracked.VERSION_AT) == 1,
                "version is " + tracked.u16(Tracked.VERSION_AT) + " while the queue runs, not 1");
        trial.expect(
                tracked.entries() >= tracked.ring().size(),
                "desc_num is " + tracked.entries() + ", but the queue has "
                        + tracked.ring().size() + " descriptors");
    }

    private static void entries(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, Tracked.WISH, 1);
        int queues = tracked.session().device().rings().size();
        long needed = queues * (HEADER + (long) ENTRY * tracked.ring().size());
        trial.expect(
                tracked.areaSize() >= needed,
                "the area has " + tracked.areaSize() + " bytes, but the entries of " + queues + " queues need "
                        + needed);
        // The counter's offset in the entry is found by watching which field counts.
        List<Integer> heads = served(tracked);
        for (int head : heads) {
            int mark = tracked.u8(entry(head));
            trial.expect(mark == 0 || mark == 1, "the mark of entry " + head + " is " + mark + ", neither 0 nor 1");
        }
        trial.expect(
                tracked.u64(entry(heads.get(1)) + COUNTER) != tracked.u64(entry(heads.get(2)) + COUNTER),
                "entries " + heads.get(1) + " and " + heads.get(2) + " have the same counter, "
                        + tracked.u64(entry(heads.get(1)) + COUNTER));
    }

    /**
     * Makes several chains available at once, and waits for all of them. Returns them in the order in which they were
     * made available.
     */
    private static List<Integer> served(Tracked tracked) throws IOException {
        List<Integer> heads = tracked.add(CHAINS);
        tracked.ring().kick();
        tracked.await(CHAINS);
        return heads;
    }

    private static void counters(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, Tracked.WISH, 1);
        for (int round = 0; round < 2; round++) {
            List<Integer> heads = served(tracked);
            for (int i = 1; i < heads.size(); i++) {
                long before = tracked.u64(entry(heads.get(i - 1)) + COUNTER);
                long counter = tracked.u64(entry(heads.get(i)) + COUNTER);
                trial.expect(
                        counter == before + 1,
                        "the counter of entry " + heads.get(i) + " is " + counter + ", but that of entry "
                                + heads.get(i - 1) + ", which was taken before it, " + before);
            }
        }
    }

    private static void lastBatch(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, Tracked.WISH, 1);
        tracked.add(CHAINS);
        tracked.ring().kick();
        int last = tracked.await(CHAINS).getLast();
        trial.expect(
                tracked.u16(LAST_BATCH_HEAD) == last,
                "last_batch_head is " + tracked.u16(LAST_BATCH_HEAD) + ", but the head that was used last is " + last);
    }

    private static void cleared(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, Tracked.WISH, 1);
        for (int round = 0; round < 3; round++) {
            List<Integer> heads = served(tracked);
            int usedIndex = tracked.ring().usedBase();
            for (int head : heads) {
                trial.expect(
                        trial.within(() -> tracked.u8(entry(head)) == 0),
                        "entry " + head + " is still in flight, but its chain was returned");
            }
            trial.expect(
                    trial.within(() -> tracked.u16(USED_IDX) == usedIndex),
                    "used_idx is " + tracked.u16(USED_IDX) + ", but the ring's is " + usedIndex);
        }
    }

    private static void batchIsCompleted(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, Tracked.WISH, 2);
        tracked.add(CHAINS);
        tracked.ring().kick();
        List<Integer> used = tracked.await(CHAINS);
        int older = used.get(CHAINS - 2);
        int last = used.getLast();
        int usedIndex = tracked.ring().usedBase();
        tracked.reconnect(false, () -> {
            trial.transcript()
                    .say("the area is in the state after the last two entries were published and before they were"
                            + " recorded");
            tracked.put16(LAST_BATCH_HEAD, last);
            tracked.put16(entry(last) + NEXT, older);
            tracked.put8(entry(last), 1);
            tracked.put8(entry(older), 1);
            tracked.put16(USED_IDX, usedIndex - 2);
        });
        for (int head : new int[] {older, last}) {
            trial.expect(
                    trial.within(() -> tracked.u8(entry(head)) == 0),
                    "entry " + head + " of the last batch is still in flight, but its chain was used");
        }
        trial.expect(
                trial.within(() -> tracked.u16(USED_IDX) == usedIndex),
                "used_idx is " + tracked.u16(USED_IDX) + " after the back-end reconnected, but the ring's is "
                        + usedIndex);
        tracked.expectQuietThenServed("after a batch that had been published before the end of the session");
    }

    /** The second of three chains was used. */
    private static void resubmitted(Trial trial, boolean kill) throws Exception {
        Tracked tracked = Tracked.used(trial, Tracked.WISH, 2);
        RingDriver ring = tracked.ring();
        List<Integer> heads = new ArrayList<>();
        tracked.reconnect(kill, () -> {
            trial.transcript().say("three chains were taken, and the second was used");
            heads.addAll(tracked.add(CHAINS));
            use(trial, tracked, heads.get(1));
            long counter = 1000;
            tracked.put64(entry(heads.get(1)) + COUNTER, counter);
            tracked.put16(entry(heads.get(1)) + NEXT, tracked.u16(LAST_BATCH_HEAD));
            tracked.put16(LAST_BATCH_HEAD, heads.get(1));
            tracked.put64(entry(heads.get(0)) + COUNTER, counter + 2);
            tracked.put8(entry(heads.get(0)), 1);
            tracked.put64(entry(heads.get(2)) + COUNTER, counter + 1);
            tracked.put8(entry(heads.get(2)), 1);
            tracked.put16(USED_IDX, ring.usedBase());
        });
        tracked.expectBack(
                tracked.await(2),
                List.of(heads.get(2), heads.get(0)),
                "after the session that had them in flight had ended");
        tracked.expectQuietThenServed("after all requests in flight were returned");
        for (int head : heads) {
            trial.expect(
                    trial.within(() -> tracked.u8(entry(head)) == 0),
                    "entry " + head + " is still in flight, but its chain was returned");
        }
    }

    /** Writes the used entry that the back-end wrote before its end, and makes the driver take it. */
    private static void use(Trial trial, Tracked tracked, int head) {
        RingDriver ring = tracked.ring();
        int index = ring.usedBase();
        long at = ring.deviceArea() + 4 + (long) USED_ENTRY * (index % ring.size());
        tracked.ram().putInt(at, head);
        tracked.ram().putInt(at + 4, (int) tracked.session().request().leastWritten());
        tracked.ram().putShort(ring.deviceArea() + 2, index + 1);
        trial.expect(ring.poll() != null, "the used entry was not seen");
    }
}
