package org.exomem.conform.checks.inflight;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;

/** The in-flight area of packed queues. */
final class PackedAreaChecks {
    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.inflight.12",
                    "the region of a packed queue begins with its header",
                    PackedAreaChecks::header),
            Check.of(
                            "vhost.inflight.13",
                            "a packed queue's entries are copies of descriptors",
                            PackedAreaChecks::copies)
                    .and("vhost.inflight.15"),
            Check.of(
                    "vhost.inflight.15",
                    "counters of a packed queue count the requests that were taken",
                    PackedAreaChecks::counters),
            Check.of(
                    "vhost.inflight.16",
                    "entries of chains that a packed queue has used are free again",
                    PackedAreaChecks::freed),
            Check.of(
                            "vhost.inflight.18",
                            "a packed queue's region contains the used position of its ring",
                            PackedAreaChecks::position)
                    .and("vhost.inflight.19"),
            Check.of(
                            "vhost.inflight.21",
                            "an interrupted update whose descriptor was used is completed",
                            PackedAreaChecks::completed)
                    .and("vhost.inflight.20"),
            Check.of(
                            "vhost.inflight.22",
                            "an interrupted update whose descriptor was not used is rolled back",
                            PackedAreaChecks::takenBack)
                    .and("vhost.inflight.20"),
            Check.of(
                    "vhost.inflight.23",
                    "free entries of a packed queue are not in flight",
                    PackedAreaChecks::freeIsCleared),
            Check.of(
                            "vhost.inflight.24",
                            "requests that a packed queue had in flight are submitted again, and no others",
                            trial -> resubmitted(trial, false))
                    .and("vhost.inflight.29"),
            Check.of(
                            "vhost.inflight.29",
                            "requests that a killed back-end had in flight are submitted again, packed ring",
                            trial -> resubmitted(trial, true))
                    .and("vhost.inflight.24"));

    private static final Wish WISH = Tracked.WISH.with(Features.RING_PACKED);

    private static final int FREE_HEAD = 12;
    private static final int OLD_FREE_HEAD = 14;
    private static final int USED_IDX = 16;
    private static final int OLD_USED_IDX = 18;
    private static final int USED_WRAP = 20;
    private static final int OLD_USED_WRAP = 21;
    private static final int HEADER = 32;
    private static final int ENTRY = 32;
    private static final int NEXT = 2;
    private static final int LAST = 4;
    private static final int NUM = 6;
    private static final int COUNTER = 8;
    private static final int ID = 16;
    private static final int LENGTH = 20;
    private static final int ADDRESS = 24;

    private static final int DESCRIPTOR = 16;
    private static final int AVAILABLE_AND_USED = 1 << 7 | 1 << 15;
    private static final int WRAP = 1 << 15;
    private static final int LONG_COUNT = 1000;

    private PackedAreaChecks() {}

    private static long entry(int index) {
        return HEADER + (long) ENTRY * index;
    }

    private static void header(Trial trial) throws Exception {
        Tracked tracked = Tracked.start(trial, WISH);
        tracked.session().serve();
        SplitAreaChecks.expectHeader(trial, tracked);
        for (int field : new int[] {FREE_HEAD, OLD_FREE_HEAD, USED_IDX, OLD_USED_IDX}) {
            trial.expect(
                    tracked.u16(field) <= tracked.entries(),
                    "the field at " + field + " is " + tracked.u16(field) + ", but there are " + tracked.entries()
                            + " entries");
        }
        for (int field : new int[] {USED_WRAP, OLD_USED_WRAP}) {
            trial.expect(tracked.u8(field) <= 1, "the wrap counter at " + field + " is " + tracked.u8(field));
        }
    }

    private static void copies(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, WISH, 1);
        List<Buffer> chain = tracked.session().request().prepare();
        int id = tracked.ring().add(chain);
        tracked.ring().kick();
        tracked.await(1);
        int first = -1;
        for (int i = 0; i < chain.size(); i++) {
            int found = find(tracked, chain.get(i));
            trial.expect(
                    found >= 0,
                    "no entry has address 0x" + Long.toHexString(chain.get(i).address()) + " and length "
                            + chain.get(i).length() + ", as a descriptor of the chain has");
            first = i == 0 ? found : first;
            if (i == chain.size() - 1) {
                trial.expect(
                        tracked.u16(entry(found) + ID) == id,
                        "the entry of the chain's last descriptor has id " + tracked.u16(entry(found) + ID) + ", not "
                                + id);
                trial.expect(
                        tracked.u16(entry(first) + LAST) == found,
                        "the chain's first entry names entry " + tracked.u16(entry(first) + LAST) + " as its last, not "
                                + found);
            }
        }
        trial.expect(
                tracked.u16(entry(first) + NUM) == chain.size(),
                "the chain's first entry has number " + tracked.u16(entry(first) + NUM) + ", but the chain has "
                        + chain.size() + " descriptors");
    }

    private static int find(Tracked tracked, Buffer buffer) {
        for (int i = 0; i < tracked.ring().size(); i++) {
            if (tracked.u64(entry(i) + ADDRESS) == buffer.address()
                    && tracked.u32(entry(i) + LENGTH) == (int) buffer.length()) {
                return i;
            }
        }
        return -1;
    }

    private static void counters(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, WISH, 1);
        long before = greatestCounter(tracked);
        for (int i = 0; i < 3; i++) {
            tracked.session().serve();
            long counter = greatestCounter(tracked);
            trial.expect(
                    counter == before + 1,
                    "the highest counter is " + counter + " after one more request, and was " + before);
            before = counter;
        }
    }

    private static long greatestCounter(Tracked tracked) {
        long greatest = 0;
        for (int i = 0; i < tracked.ring().size(); i++) {
            greatest = Math.max(greatest, tracked.u64(entry(i) + COUNTER));
        }
        return greatest;
    }

    private static void freed(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, WISH, 3);
        tracked.add(3);
        tracked.ring().kick();
        tracked.await(3);
        trial.expect(
                trial.within(() -> free(tracked) == tracked.entries()),
                "the free list has " + free(tracked) + " entries of " + tracked.entries()
                        + ", but no request is in flight");
    }

    /** The number of entries in the free list. */
    private static int free(Tracked tracked) {
        BitSet seen = new BitSet();
        int at = tracked.u16(FREE_HEAD);
        while (at < tracked.entries() && !seen.get(at)) {
            seen.set(at);
            at = tracked.u16(entry(at) + NEXT);
        }
        return seen.cardinality();
    }

    private static void position(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, WISH, 1);
        // Enough requests for the ring to wrap twice.
        for (int i = 0; i < 2 * tracked.ring().size(); i++) {
            tracked.session().serve();
            int position = tracked.ring().usedBase() & 0xffff;
            trial.expect(
                    trial.within(() -> usedPosition(tracked, USED_IDX, USED_WRAP) == position
                            && usedPosition(tracked, OLD_USED_IDX, OLD_USED_WRAP) == position
                            && tracked.u16(FREE_HEAD) == tracked.u16(OLD_FREE_HEAD)),
                    "after a request was used, the used position is " + text(position)
                            + "; the region has used position "
                            + text(usedPosition(tracked, USED_IDX, USED_WRAP)) + ", old used position "
                            + text(usedPosition(tracked, OLD_USED_IDX, OLD_USED_WRAP)) + ", free head "
                            + tracked.u16(FREE_HEAD) + " and old free head " + tracked.u16(OLD_FREE_HEAD));
        }
        trial.expect(
                trial.within(() -> marks(tracked) == 0),
                marks(tracked) + " entries are marked as in flight, but no request is in flight");
    }

    private static int usedPosition(Tracked tracked, int index, int wrap) {
        return tracked.u16(index) | (tracked.u8(wrap) != 0 ? WRAP : 0);
    }

    private static String text(int position) {
        return (position & WRAP - 1) + " with wrap counter " + (position >> 15 & 1);
    }

    private static int marks(Tracked tracked) {
        int marks = 0;
        for (int i = 0; i < tracked.entries(); i++) {
            marks += tracked.u8(entry(i));
        }
        return marks;
    }

    // States that a back-end leaves if it ends in the middle of an update

    private static void putPosition(Tracked tracked, int position, int index, int wrap) {
        tracked.put16(index, position & WRAP - 1);
        tracked.put8(wrap, position >> 15 & 1);
    }

    /** The used position {@code slots} further on. */
    private static int further(Tracked tracked, int position, int slots) {
        int index = (position & WRAP - 1) + slots;
        return index < tracked.ring().size()
                ? index | position & WRAP
                : index - tracked.ring().size() | (position & WRAP) ^ WRAP;
    }

    private static void completed(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, WISH, 2);
        int before = tracked.ring().usedBase() & 0xffff;
        tracked.session().serve();
        int after = tracked.ring().usedBase() & 0xffff;
        tracked.reconnect(false, () -> {
            trial.transcript()
                    .say("the area is in the state after a descriptor was used and before its update was completed");
            int first = tracked.u16(FREE_HEAD);
            int last = tracked.u16(entry(first) + LAST);
            tracked.put16(OLD_FREE_HEAD, tracked.u16(entry(last) + NEXT));
            putPosition(tracked, before, OLD_USED_IDX, OLD_USED_WRAP);
            tracked.put8(entry(first), 1);
        });
        expectSettled(trial, tracked, after);
        tracked.expectQuietThenServed("after an update whose descriptor had been used");
    }

    private static void expectSettled(Trial trial, Tracked tracked, int position) {
        trial.expect(
                trial.within(() -> usedPosition(tracked, USED_IDX, USED_WRAP) == position
                        && usedPosition(tracked, OLD_USED_IDX, OLD_USED_WRAP) == position
                        && tracked.u16(FREE_HEAD) == tracked.u16(OLD_FREE_HEAD)
                        && marks(tracked) == 0),
                "after the back-end reconnected, the used position should be " + text(position) + " but is "
                        + text(usedPosition(tracked, USED_IDX, USED_WRAP)) + ", the old one "
                        + text(usedPosition(tracked, OLD_USED_IDX, OLD_USED_WRAP)) + ", the free head "
                        + tracked.u16(FREE_HEAD) + ", the old one " + tracked.u16(OLD_FREE_HEAD) + ", and "
                        + marks(tracked) + " entries are in flight");
    }

    private static void takenBack(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, WISH, 2);
        List<Integer> ids = new ArrayList<>();
        tracked.reconnect(false, () -> {
            trial.transcript().say("the area is in the state before a descriptor is used");
            int position = tracked.ring().usedBase() & 0xffff;
            int slots = tracked.session().request().prepare().size();
            ids.addAll(tracked.add(1));
            int first = take(tracked, position & WRAP - 1, slots, LONG_COUNT);
            // The back-end was about to free the entry: the new values are those after the free.
            int last = tracked.u16(entry(first) + LAST);
            tracked.put16(entry(last) + NEXT, tracked.u16(FREE_HEAD));
            tracked.put16(FREE_HEAD, first);
            putPosition(tracked, further(tracked, position, slots), USED_IDX, USED_WRAP);
        });
        tracked.expectBack(tracked.await(1), ids, "after an update whose descriptor had not been used");
        tracked.expectQuietThenServed("after the requests in flight were returned");
        expectSettled(trial, tracked, tracked.ring().usedBase() & 0xffff);
    }

    /**
     * Records a chain as taken: copies its descriptors from the ring into free entries.
     *
     * @return its first entry
     */
    private static int take(Tracked tracked, int slot, int slots, long counter) {
        GuestRam ram = tracked.ram();
        int first = tracked.u16(FREE_HEAD);
        int at = first;
        int last = first;
        for (int i = 0; i < slots; i++) {
            long descriptor = tracked.ring().descriptors()
                    + (long) DESCRIPTOR * ((slot + i) % tracked.ring().size());
            tracked.put64(
                    entry(at) + ADDRESS,
                    ram.getInt(descriptor) & 0xffff_ffffL | (long) ram.getInt(descriptor + 4) << 32);
            tracked.put32(entry(at) + LENGTH, ram.getInt(descriptor + 8));
            // id and flags
            tracked.put32(entry(at) + ID, ram.getInt(descriptor + 12));
            last = at;
            at = tracked.u16(entry(at) + NEXT);
        }
        tracked.put16(entry(first) + LAST, last);
        tracked.put16(entry(first) + NUM, slots);
        tracked.put64(entry(first) + COUNTER, counter);
        tracked.put8(entry(first), 1);
        tracked.put16(FREE_HEAD, at);
        tracked.put16(OLD_FREE_HEAD, at);
        return first;
    }

    private static void freeIsCleared(Trial trial) throws Exception {
        Tracked tracked = Tracked.used(trial, WISH, 2);
        int position = tracked.ring().usedBase() & 0xffff;
        tracked.reconnect(false, () -> {
            trial.transcript().say("an entry of the free list is marked as in flight");
            tracked.put8(entry(tracked.u16(entry(tracked.u16(FREE_HEAD)) + NEXT)), 1);
        });
        expectSettled(trial, tracked, position);
        tracked.expectQuietThenServed("although no request was in flight");
    }

    /** The second of three chains was used, in the first chain's slot. */
    private static void resubmitted(Trial trial, boolean kill) throws Exception {
        Tracked tracked = Tracked.used(trial, WISH, 2);
        RingDriver ring = tracked.ring();
        List<Integer> ids = new ArrayList<>();
        tracked.reconnect(kill, () -> {
            trial.transcript().say("three chains were taken, and the second was used");
            int position = ring.usedBase() & 0xffff;
            int slot = position & WRAP - 1;
            int slots = tracked.session().request().prepare().size();
            ids.addAll(tracked.add(3));
            take(tracked, slot, slots, LONG_COUNT + 2);
            int second = take(tracked, slot + slots, slots, LONG_COUNT);
            take(tracked, slot + 2 * slots, slots, LONG_COUNT + 1);
            int last = tracked.u16(entry(second) + LAST);
            tracked.put16(entry(last) + NEXT, tracked.u16(FREE_HEAD));
            tracked.put16(FREE_HEAD, second);
            tracked.put16(OLD_FREE_HEAD, second);
            tracked.put8(entry(second), 0);
            int after = further(tracked, position, slots);
            putPosition(tracked, after, USED_IDX, USED_WRAP);
            putPosition(tracked, after, OLD_USED_IDX, OLD_USED_WRAP);
            use(trial, tracked, position, ids.get(1));
        });
        tracked.expectBack(
                tracked.await(2),
                List.of(ids.get(2), ids.get(0)),
                "after the session that had them in flight had ended");
        tracked.expectQuietThenServed("after all requests in flight were returned");
        expectSettled(trial, tracked, ring.usedBase() & 0xffff);
    }

    /** Writes the used descriptor that the back-end wrote before its end, and makes the driver take it. */
    private static void use(Trial trial, Tracked tracked, int position, int id) {
        RingDriver ring = tracked.ring();
        GuestRam ram = tracked.ram();
        long at = ring.descriptors() + (long) DESCRIPTOR * (position & WRAP - 1);
        ram.putInt(at + 8, (int) tracked.session().request().leastWritten());
        ram.putShort(at + 12, id);
        int written = tracked.session().request().leastWritten() > 0 ? 2 : 0;
        ram.putShort(at + 14, ((position & WRAP) != 0 ? AVAILABLE_AND_USED : 0) | written);
        trial.expect(ring.poll() != null, "the used descriptor was not seen");
    }
}
