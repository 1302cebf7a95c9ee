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

/** Single steps with rings, for checks that do not do all of them. */
final class Rings {
    private static final int ACKNOWLEDGE_DRIVER_FEATURES_OK_DRIVER_OK = 15;

    private Rings() {}

    /** Sets a ring up from where it stands, all but starting and enabling it. */
    static void configure(Session session, RingDriver ring) throws IOException {
        configure(session, ring, ring.base());
    }

    /** Likewise, from another position on. */
    static void configure(Session session, RingDriver ring, int base) throws IOException {
        FrontEnd frontEnd = session.frontEnd();
        frontEnd.setVringNum(ring.index(), ring.size());
        frontEnd.setVringBase(ring.index(), base);
        frontEnd.setVringAddr(ring.addresses(false));
        frontEnd.setVringCall(ring.index(), ring.callFd());
    }

    /** Starts and enables all rings but the one of the sample request. */
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

    /** Makes the sample request available, and kicks whether the device wants that or not. */
    static void addAndKick(Session session) {
        add(session);
        session.ring().kickFd().signal();
    }

    /** Waits for the sample request, and looks at its answer. */
    static void await(Session session) throws IOException {
        session.verify(session.ring().await(session.limits().answer()));
    }

    /** Like {@link #await}, without the call: looks again and again. */
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
     * The device may leave a request of a disabled ring, or return it without having done anything.
     *
     * @return whether it has left it
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
            trial.transcript().say("the request came back from the ring that is " + state + ", without an answer");
        }
        return used.get() == null;
    }

    /** That many more sample requests, each with buffers of its own. */
    static List<Sample.Request> requests(Trial trial, Session session, int count) throws IOException {
        Sample sample = trial.sample().orElseThrow(() -> new Skipped("no request is known that this device serves"));
        List<Sample.Request> requests = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            requests.add(sample.place(session.device()));
        }
        return requests;
    }

    /** Whether a notification is there now; takes none. */
    static boolean isSignalled(EventFd event) {
        return isSignalled(event, Duration.ZERO);
    }

    /** Whether a notification comes within a time; takes none. */
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

    /** Sets used_event of a split ring; the driver leaves it alone after {@link RingDriver#suppressCalls}. */
    static void setUsedEvent(RingDriver ring, GuestRam ram, int index) {
        ram.putShort(ring.driverArea() + 4 + 2L * ring.size(), index);
    }

    /** Sets the flags of a split ring's available ring. */
    static void setAvailableFlags(RingDriver ring, GuestRam ram, int flags) {
        ram.putShort(ring.driverArea(), flags);
    }
}
