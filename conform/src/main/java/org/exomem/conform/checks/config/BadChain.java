package org.exomem.conform.checks.config;

import java.io.IOException;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.guest.RingDriver;

/** A fault of the driver: a chain that begins with a descriptor which the ring does not have. */
final class BadChain {
    static final int NEEDS_RESET = 0x40;

    private static final int NO_DESCRIPTOR = 0xffff;
    private static final int ENTRIES = 4;

    private BadChain() {}

    /** A running session with a split ring, of a back-end that is told the device status. */
    static Session session(Trial trial) throws IOException {
        return trial.running(Wish.USUAL.without(Features.RING_PACKED).withProtocol(Protocol.STATUS));
    }

    /** Makes the first chain of a ring a bad one, and puts a good one behind it. */
    static void send(Session session) throws IOException {
        RingDriver ring = session.ring();
        ring.add(session.request().prepare());
        session.ram().putShort(ring.driverArea() + ENTRIES, NO_DESCRIPTOR);
        ring.kickFd().signal();
        session.settle();
        ring.add(session.request().prepare());
        ring.kickFd().signal();
    }

    /** True if something was used: the device has gone on behind the bad chain. */
    static boolean wasPassed(Session session) {
        return session.ram().getInt(session.ring().deviceArea()) >>> 16 != 0;
    }

    /**
     * Whether the device needs a reset after {@link #send}. Neither that nor the next request served within the time of an
     * answer: false.
     */
    static Effect effect(Trial trial, Session session) throws IOException {
        long end = System.nanoTime() + trial.limits().answer().toNanos();
        try {
            while (System.nanoTime() < end) {
                if ((session.frontEnd().getStatus() & NEEDS_RESET) != 0) {
                    return Effect.NEEDS_RESET;
                }
                if (wasPassed(session)) {
                    return Effect.NONE;
                }
            }
            return Effect.STUCK;
        } catch (IOException e) {
            if (Closing.is(e)) {
                return Effect.CLOSED;
            }
            throw e;
        }
    }

    /** What a bad chain does to a device. */
    enum Effect {
        /** It serves the next request. */
        NONE,
        /** It says that it needs a reset. */
        NEEDS_RESET,
        /** It serves no more, and does not say so. */
        STUCK,
        /** The back-end closed the connection. */
        CLOSED
    }
}
