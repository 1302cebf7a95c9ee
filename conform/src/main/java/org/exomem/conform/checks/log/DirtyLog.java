package org.exomem.conform.checks.log;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;

/**
 * A log in a file of its own, with guard areas before and behind it that the back-end must not write. One bit stands
 * for 4096 bytes of guest memory.
 */
final class DirtyLog {
    /** The offset of the log in its file, in bytes. */
    static final long OFFSET = 4096;

    private static final long ROOM_BEHIND = 4096;
    private static final VarHandle WORDS = ValueLayout.JAVA_INT.varHandle();

    private final SharedFile file;
    private final MemorySegment all;
    private final long size;

    private DirtyLog(SharedFile file, MemorySegment all, long size) {
        this.file = file;
        this.all = all;
        this.size = size;
    }

    /** Creates a log for all memory regions of a session, and at least for the addresses below a limit. */
    static DirtyLog of(Trial trial, Session session, long limit) throws LinuxException {
        long end = session.ram().regions().stream()
                .mapToLong(region -> region.guestAddress() + region.size())
                .max()
                .orElse(0);
        long size = (Math.max(limit, end) / GuestRam.PAGE + 7) / 8;
        long whole = OFFSET + size + ROOM_BEHIND;
        SharedFile file = trial.closeLater(SharedFile.memfd("dirty-log", whole));
        Mapping mapping = trial.closeLater(Mapping.of(file, 0, whole));
        return new DirtyLog(file, mapping.segment(), size);
    }

    /** The features of a session with a log, added to those of {@code rings}. */
    static Wish wish(Wish rings) {
        return rings.with(Features.LOG_ALL).withProtocol(Protocol.LOG_SHMFD);
    }

    /**
     * Shares the log with the back-end. The content of the answer is undefined: some back-ends return the message's own
     * number.
     */
    void share(Session session) throws IOException {
        Connection connection = session.connection();
        connection.send(Request.SET_LOG_BASE, Connection.VERSION, Payload.log(size, OFFSET), List.of(file.fd()));
        Reply reply = connection.receive();
        reply.fds().forEach(Fd::close);
        if (reply.request() != Request.SET_LOG_BASE) {
            throw new Unmet("SET_LOG_BASE was answered with a reply to request " + reply.request());
        }
    }

    /** The first guest address without a bit. */
    long limit() {
        return size * 8 * GuestRam.PAGE;
    }

    /**
     * Returns and clears the pages that were marked since the last call, except those that the front-end marked itself.
     */
    Set<Long> take() {
        MemorySegment bits = all.asSlice(OFFSET, size);
        Set<Long> pages = new TreeSet<>();
        for (long at = 0; at < size; at++) {
            int marks = bits.get(JAVA_BYTE, at) & 0xff;
            for (int bit = 0; bit < 8; bit++) {
                if (((marks >> bit) & 1) != 0) {
                    pages.add(at * 8 + bit);
                }
            }
        }
        bits.fill((byte) 0);
        return pages;
    }

    /** Fails if a byte outside the log was written. */
    void requireRoomKept() {
        requireZeros(0, OFFSET, "before");
        requireZeros(OFFSET + size, ROOM_BEHIND, "after");
    }

    private void requireZeros(long from, long length, String where) {
        for (long i = 0; i < length; i++) {
            if (all.get(JAVA_BYTE, from + i) != 0) {
                throw new Unmet("byte " + (from + i) + " of the log file was written; it is " + where + " the log of "
                        + size + " bytes at " + OFFSET);
            }
        }
    }

    /** Sets or clears a page's bit, atomically. */
    void flip(long page) {
        // The byte's position in a word of a little-endian machine; exomem runs on no others.
        WORDS.getAndBitwiseXor(all, OFFSET + page / 32 * 4, 1 << (page % 32));
    }

    /** True if no page is marked. Does not change the log. */
    boolean isEmpty() {
        for (long at = 0; at < size; at++) {
            if (all.get(JAVA_BYTE, OFFSET + at) != 0) {
                return false;
            }
        }
        return true;
    }

    boolean isMarked(long page) {
        return ((all.get(JAVA_BYTE, OFFSET + page / 8) >> (page % 8)) & 1) != 0;
    }

    static long page(long address) {
        return address / GuestRam.PAGE;
    }

    /** Starts the ring of the sample request at its present position, with its used part logged at an address. */
    static void startLogged(Session session, RingDriver ring, int base, long logAddress) throws IOException {
        RingAddresses here = ring.addresses(true);
        session.frontEnd().setVringNum(ring.index(), ring.size());
        session.frontEnd().setVringBase(ring.index(), base);
        session.frontEnd()
                .setVringAddr(new RingAddresses(
                        ring.index(),
                        RingAddresses.LOG,
                        here.descriptors(),
                        here.used(),
                        here.available(),
                        logAddress));
        session.frontEnd().setVringCall(ring.index(), ring.callFd());
        session.frontEnd().setVringKick(ring.index(), ring.kickFd());
        session.frontEnd().setVringEnable(ring.index(), true);
    }

    /** A session whose rings run. The ring of the sample request is logged at an address if that is not negative. */
    Session running(Trial trial, Session session, long logAddress) throws IOException {
        share(session);
        session.start();
        RingDriver ring = session.ring();
        if (logAddress >= 0) {
            int base = session.frontEnd().getVringBase(ring.index());
            startLogged(session, ring, base, logAddress);
        }
        session.serve();
        session.settle();
        take();
        trial.transcript().say("the log has " + size + " bytes, at offset " + OFFSET + " of its file");
        return session;
    }
}
