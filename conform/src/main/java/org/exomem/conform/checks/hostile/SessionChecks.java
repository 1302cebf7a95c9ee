package org.exomem.conform.checks.hostile;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;

/** Front-ends that connect and disconnect. */
final class SessionChecks {
    private static final int MANY = 50;
    private static final int SEVERAL = 10;
    /** More messages than the socket's buffers can hold in both directions. */
    private static final int UNREAD = 400;

    static final List<Check> ALL = List.of(
            Check.of(
                    "robust.session.1", MANY + " sessions are served one after the other", SessionChecks::manySessions),
            Check.of("robust.session.1", "a connection without any message affects only itself", SessionChecks::silent),
            Check.of(
                    "robust.session.2",
                    "a front-end may disconnect while a request is in flight",
                    SessionChecks::disappears),
            Check.of("robust.session.3", "a second connection does not disturb the first", SessionChecks::twoAtOnce),
            Check.of(
                    "robust.session.4",
                    "a front-end that reads no answers affects only its own session",
                    SessionChecks::readsNothing),
            Check.of("robust.session.5", "a back-end that was killed serves again", SessionChecks::killed));

    private SessionChecks() {}

    private static void manySessions(Trial trial) throws Exception {
        GuestRam ram = trial.closeLater(Attack.memory(trial));
        for (int i = 0; i < MANY; i++) {
            Attack.served(trial, ram, i == 0 ? "" : i + " others").device().close();
        }
    }

    private static void silent(Trial trial) throws Exception {
        for (int i = 0; i < SEVERAL; i++) {
            trial.connect().close();
        }
        Attack.expectServed(trial, "connections without any message");
    }

    private static void disappears(Trial trial) throws Exception {
        GuestRam ram = trial.closeLater(Attack.memory(trial));
        for (int i = 0; i < SEVERAL; i++) {
            Session session = Attack.served(trial, ram, i == 0 ? "" : "one that ended with a request in flight");
            session.ring().add(session.request().prepare());
            session.ring().kick();
            session.device().close();
        }
        Attack.expectServed(trial, "one that ended with a request in flight");
    }

    private static void twoAtOnce(Trial trial) throws Exception {
        Session first = Attack.served(trial, trial.closeLater(Attack.memory(trial)), "");
        String second;
        try (FrontEnd other = new FrontEnd(connectSecond(trial), trial.limits().quiet())) {
            second = answerTo(other);
            trial.transcript().say("a second connection at the same time " + second);
            expectServedStill(first, trial);
        }
        expectServedStill(first, trial);
        first.device().close();
        Attack.expectServed(trial, "two at the same time");
    }

    private static Fd connectSecond(Trial trial) throws IOException {
        try {
            return trial.backEnd().connect();
        } catch (IOException e) {
            throw new Skipped("the back-end accepts no second connection at the same time: " + e.getMessage());
        }
    }

    private static String answerTo(FrontEnd other) throws IOException {
        try {
            other.getFeatures();
            return "is served";
        } catch (SocketTimeoutException e) {
            return "waits";
        } catch (IOException e) {
            if (Closing.is(e)) {
                return "was closed";
            }
            throw e;
        }
    }

    private static void expectServedStill(Session session, Trial trial) throws IOException {
        session.settle();
        if (trial.sample().isPresent()) {
            session.serve();
        }
    }

    private static void readsNothing(Trial trial) throws Exception {
        byte[] request = Connection.encode(Request.GET_FEATURES, Connection.VERSION, Payload.none());
        try (FrontEnd frontEnd =
                new FrontEnd(trial.backEnd().connect(), trial.limits().quiet())) {
            Attack.tolerate(trial, () -> {
                for (int i = 0; i < UNREAD; i++) {
                    frontEnd.connection().sendBytes(request, List.of());
                }
            });
        } catch (LinuxException e) {
            if (e.errno() != Errno.EAGAIN) {
                throw e;
            }
            trial.transcript().say("the back-end stops reading while its answers are not read");
        }
        Attack.expectServed(trial, "one whose front-end read no answers");
    }

    private static void killed(Trial trial) throws Exception {
        Session session = Attack.served(trial, trial.closeLater(Attack.memory(trial)), "");
        if (!trial.backEnd().kill()) {
            throw new Skipped("the runner did not start the back-end, so it can't kill it");
        }
        session.device().close();
        Attack.expectServed(trial, "one in which the back-end was killed");
    }
}
