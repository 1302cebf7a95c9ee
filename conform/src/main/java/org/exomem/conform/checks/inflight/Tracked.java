package org.exomem.conform.checks.inflight;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.exomem.linux.Mapping;

/**
 * A session with an in-flight area, from the front-end's view. The check can read the area while the back-end uses it.
 * While no back-end runs, the check can change the area to the state that a back-end leaves when it is killed at a
 * certain point.
 *
 * <pre>
 * the region of a split queue        each entry, 16 bytes     the region of a packed queue     each entry, 32 bytes
 *  0 u64 features, 0                  0 u8  in flight          0 u64 features, 0                 0 u8  in flight
 *  8 u16 version, 1                   6 u16 next               8 u16 version, 1                  2 u16 next
 * 10 u16 desc_num                     8 u64 counter           10 u16 desc_num                    4 u16 last
 * 12 u16 last_batch_head                                      12 u16 free_head                   6 u16 num
 * 14 u16 used_idx                                             14 u16 old_free_head               8 u64 counter
 * 16 entries                                                  16 u16 used_idx                   16 u16 id
 *                                                             18 u16 old_used_idx               18 u16 flags
 *                                                             20 u8  used_wrap_counter          20 u32 len
 *                                                             21 u8  old_used_wrap_counter      24 u64 addr
 *                                                             32 entries
 * </pre>
 */
final class Tracked {
    static final Wish WISH = Wish.USUAL.withProtocol(Protocol.INFLIGHT_SHMFD);
    static final int VERSION_AT = 8;
    static final int ENTRIES_AT = 10;

    private static final int RING_SIZE = 64;
    private static final int DRIVER_READY = 15;
    private static final ValueLayout.OfShort SHORT = JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.nativeOrder());
    private static final ValueLayout.OfInt INT = JAVA_INT_UNALIGNED.withOrder(ByteOrder.nativeOrder());
    private static final ValueLayout.OfLong LONG = JAVA_LONG_UNALIGNED.withOrder(ByteOrder.nativeOrder());

    private final Trial trial;
    private final Wish wish;
    private final GuestRam ram;
    private final Session session;
    private final FrontEnd.Inflight inflight;
    private final MemorySegment area;
    private final long begin;
    private FrontEnd frontEnd;

    private Tracked(Trial trial, Wish wish, GuestRam ram, Session session) throws IOException {
        this.trial = trial;
        this.wish = wish;
        this.ram = ram;
        this.session = session;
        this.frontEnd = session.frontEnd();
        int queues = session.device().rings().size();
        this.inflight = trial.closeLater(frontEnd.getInflightFd(queues, RING_SIZE));
        long size = inflight.area().size();
        trial.expect(
                size > 0 && inflight.area().offset() + size <= inflight.file().size(),
                "GET_INFLIGHT_FD was answered with " + size + " bytes at "
                        + inflight.area().offset() + " in a file of "
                        + inflight.file().size());
        this.area = trial.closeLater(
                        Mapping.of(inflight.file(), 0, inflight.file().size()))
                .segment()
                .asSlice(inflight.area().offset(), size);
        this.begin = session.ring().index() * (size / queues);
        frontEnd.setInflightFd(inflight);
    }

    /** A session with an in-flight area whose rings run. */
    static Tracked start(Trial trial, Wish wish) throws IOException {
        GuestRam ram = trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, 16L << 20)));
        Session session = trial.session(wish, ram);
        session.ring();
        Tracked tracked = new Tracked(trial, wish, ram, session);
        session.start();
        return tracked;
    }

    /**
     * Like {@link #start}, after some requests. Skips the check if the area does not have the layout that the document
     * proposes.
     */
    static Tracked used(Trial trial, Wish wish, int requests) throws IOException {
        Tracked tracked = start(trial, wish);
        for (int i = 0; i < requests; i++) {
            tracked.session.serve();
        }
        if (tracked.u16(VERSION_AT) != 1 || tracked.u16(ENTRIES_AT) < RING_SIZE) {
            throw new Skipped("the in-flight area does not have the layout that the document proposes");
        }
        return tracked;
    }

    Session session() {
        return session;
    }

    RingDriver ring() {
        return session.ring();
    }

    GuestRam ram() {
        return ram;
    }

    long areaSize() {
        return area.byteSize();
    }

    int entries() {
        return u16(ENTRIES_AT);
    }

    // The region of the ring that serves the sample request

    int u8(long offset) {
        return area.get(JAVA_BYTE, begin + offset) & 0xff;
    }

    int u16(long offset) {
        return area.get(SHORT, begin + offset) & 0xffff;
    }

    /** Reads from the whole area. */
    int u16OfArea(long offset) {
        return area.get(SHORT, offset) & 0xffff;
    }

    int u32(long offset) {
        return area.get(INT, begin + offset);
    }

    long u64(long offset) {
        return area.get(LONG, begin + offset);
    }

    void put8(long offset, int value) {
        area.set(JAVA_BYTE, begin + offset, (byte) value);
    }

    void put16(long offset, int value) {
        area.set(SHORT, begin + offset, (short) value);
    }

    void put32(long offset, int value) {
        area.set(INT, begin + offset, value);
    }

    void put64(long offset, long value) {
        area.set(LONG, begin + offset, value);
    }

    // What happens

    /** Makes several chains available with the same request, and returns their ids. */
    List<Integer> add(int chains) {
        List<Integer> ids = new ArrayList<>();
        for (int i = 0; i < chains; i++) {
            ids.add(ring().add(session.request().prepare()));
        }
        return ids;
    }

    /** Waits until that many chains have returned, and returns their ids in that order. */
    List<Integer> await(int chains) throws IOException {
        List<Integer> ids = new ArrayList<>();
        for (int i = 0; i < chains; i++) {
            Used used = ring().await(trial.limits().answer());
            session.verify(used);
            ids.add(used.id());
        }
        return ids;
    }

    /** Changes the area and the ring while no back-end runs. */
    @FunctionalInterface
    interface Meanwhile {
        void change() throws IOException;
    }

    /**
     * Ends the session, changes what the back-end has left, and begins a new session with the same area and rings.
     *
     * @param kill whether to kill the back-end; skips the check if that is impossible
     */
    void reconnect(boolean kill, Meanwhile meanwhile) throws IOException {
        if (kill && !trial.backEnd().kill()) {
            throw new Skipped("the runner did not start the back-end, so it can't kill it");
        }
        // The rings and their notifiers belong to the guest, so they stay.
        frontEnd.close();
        Session again = trial.session(wish, ram);
        frontEnd = again.frontEnd();
        meanwhile.change();
        frontEnd.setInflightFd(inflight);
        for (RingDriver ring : session.device().rings()) {
            again.device().start(ring, ring.usedBase(), false);
        }
        if (again.hasProtocol(Protocol.STATUS)) {
            frontEnd.setStatus(DRIVER_READY);
        }
        ring().kickFd().signal();
    }

    /** Fails the check if an unexpected chain returns, or if the device serves nothing any more. */
    void expectQuietThenServed(String when) throws IOException {
        trial.expectNever(() -> ring().poll() != null, "another chain was returned " + when);
        session.serve();
    }

    /**
     * Fails unless all of these chains returned once. Also checks the order, if the device is known to execute its
     * requests in the order of submission.
     */
    void expectBack(List<Integer> returned, List<Integer> expected, String when) {
        boolean all = returned.size() == expected.size() && returned.containsAll(expected);
        trial.expect(all, returned + " were returned, not " + expected + ", " + when);
        if (trial.type() == DeviceType.BALLOON || trial.type() == DeviceType.MEM) {
            trial.expect(
                    returned.equals(expected),
                    returned + " were returned in this order; by their counters it must be " + expected + ", " + when);
        }
    }
}
