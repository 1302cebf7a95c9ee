package org.exomem.conform.checks.rings;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.exomem.linux.EventFd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Poll;
import org.jspecify.annotations.Nullable;

/** Single steps with rings, for checks that need only some of them. */
final class Rings {
    private static final int ACKNOWLEDGE_DRIVER_FEATURES_OK_DRIVER_OK = 15;

    private Rings() {}

    /** Sets a ring up at its present position, without starting or enabling it. */
    static void configure(Session session, RingDriver ring) throws IOException {
        configure(session, ring, ring.base());
    }

    /** Like {@link #configure(Session, RingDriver)}, at another position. */
    static void configure(Session session, RingDriver ring, int base) throws IOException {
        FrontEnd frontEnd = session.frontEnd();
        frontEnd.setVringNum(ring.index(), ring.size());
        frontEnd.setVringBase(ring.index(), base);
        frontEnd.setVringAddr(ring.addresses(false));
        frontEnd.setVringCall(ring.index(), ring.callFd());
    }

    /** Starts and enables all rings except that of the sample request. */
    static void startOthers(Session session) throws IOException {
        for (RingDriver ring : session.device().rings()) {
            if (ring != session.ring()) {
                session.device().start(ring, ring.base(), false);
            }
        }
    }

    static void driverOk(Session session) throws IOException {
        if (session.hasProtocol(Protocol.STATUS)) {
            session.frontEnd().setStatus(ACKNOWLEDGE_DRIVER_FEATURES_OK_DRIVER_OK);
        }
    }

    /** Makes the sample request available without a kick. */
    static void add(Session session) {
        session.ring().add(session.request().prepare());
    }

    /** Makes the sample request available, and kicks even if the device does not want a kick. */
    static void addAndKick(Session session) {
        add(session);
        session.ring().kickFd().signal();
    }

    /** Waits for the sample request, and checks its answer. */
    static void await(Session session) throws IOException {
        session.verify(session.ring().await(session.limits().answer()));
    }

    /** Like {@link #await}, but polls instead of waiting for the call. */
    static void awaitPolling(Trial trial, Session session, String otherwise) {
        AtomicReference<@Nullable Used> used = new AtomicReference<>();
        trial.expect(
                trial.within(() -> {
                    used.set(session.ring().poll());
                    return used.get() != null;
                }),
                otherwise);
        session.verify(Objects.requireNonNull(used.get()));
    }

    /**
     * The device may leave a request of a disabled ring, or return it without an effect.
     *
     * @return whether it has left the request
     */
    static boolean isLeft(Trial trial, Session session, String state) {
        AtomicReference<@Nullable Used> used = new AtomicReference<>();
        trial.expectNever(
                () -> {
                    if (used.get() == null) {
                        used.set(session.ring().poll());
                    }
                    Used back = used.get();
                    return back != null && back.written() > 0;
                },
                "the device carried out a request of a ring that is " + state);
        if (used.get() != null) {
            trial.transcript().say("the request of the ring that is " + state + " was used without an answer");
        }
        return used.get() == null;
    }

    /** Creates that many more sample requests, each with buffers of its own. */
    static List<Sample.Request> requests(Trial trial, Session session, int count) throws IOException {
        Sample sample =
                trial.sample().orElseThrow(() -> new Skipped("the runner knows no request that this device serves"));
        List<Sample.Request> requests = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            requests.add(sample.place(session.device()));
        }
        return requests;
    }

    /** True if a notification is pending. Does not take it. */
    static boolean isSignalled(EventFd event) {
        return isSignalled(event, Duration.ZERO);
    }

    /** True if a notification comes within a time. Does not take it. */
    static boolean isSignalled(EventFd event, Duration limit) {
        try {
            return Poll.readable(event.fd(), limit);
        } catch (LinuxException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The index of a split ring's used ring. */
    static int usedIndex(RingDriver ring, GuestRam ram) {
        return ram.getShort(ring.deviceArea() + 2);
    }

    /** The flags of a split ring's used ring. */
    static int usedFlags(RingDriver ring, GuestRam ram) {
        return ram.getShort(ring.deviceArea());
    }

    /** Sets used_event of a split ring. The driver does not change it after {@link RingDriver#suppressCalls}. */
    static void setUsedEvent(RingDriver ring, GuestRam ram, int index) {
        ram.putShort(ring.driverArea() + 4 + 2L * ring.size(), index);
    }

    /** Sets the flags of a split ring's available ring. */
    static void setAvailableFlags(RingDriver ring, GuestRam ram, int flags) {
        ram.putShort(ring.driverArea(), flags);
    }
}
