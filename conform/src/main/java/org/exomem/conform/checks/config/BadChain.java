package org.exomem.conform.checks.config;

import java.io.IOException;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.guest.RingDriver;

/** A fault of the driver: a chain whose first descriptor is outside the ring's table. */
final class BadChain {
    static final int NEEDS_RESET = 0x40;

    private static final int NO_DESCRIPTOR = 0xffff;
    private static final int ENTRIES = 4;

    private BadChain() {}

    /** A running session with a split ring, where the back-end receives the device status. */
    static Session session(Trial trial) throws IOException {
        return trial.running(Wish.USUAL.without(Features.RING_PACKED).withProtocol(Protocol.STATUS));
    }

    /** Makes the first chain of a ring a bad one, followed by a good one. */
    static void send(Session session) throws IOException {
        RingDriver ring = session.ring();
        ring.add(session.request().prepare());
        session.ram().putShort(ring.driverArea() + ENTRIES, NO_DESCRIPTOR);
        ring.kickFd().signal();
        session.settle();
        ring.add(session.request().prepare());
        ring.kickFd().signal();
    }

    /** True if the device used a buffer, so it went on after the bad chain. */
    static boolean wasPassed(Session session) {
        return session.ram().getInt(session.ring().deviceArea()) >>> 16 != 0;
    }

    /** The effect of {@link #send} on the device, found within the time of an answer. */
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

    /** The effect of a bad chain on a device. */
    enum Effect {
        /** The device serves the next request. */
        NONE,
        /** The device reports that it needs a reset. */
        NEEDS_RESET,
        /** The device serves no more requests, and does not report that it needs a reset. */
        STUCK,
        /** The back-end closed the connection. */
        CLOSED
    }
}
