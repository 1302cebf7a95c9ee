package org.exomem.conform.checks.state;

import java.io.EOFException;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;
import org.exomem.conform.checks.state.Transfer.Answer;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;

/**
 * A device's state, saved and loaded (DEVICE_STATE). The back-end under test is source and destination in two
 * successive sessions.
 */
public final class StateChecks {
    private static final Wish WISH = Wish.USUAL.withProtocol(Protocol.DEVICE_STATE);

    public static final List<Check> ALL = List.of(
            Check.of("vhost.state.5", "the state is written completely, and its channel is closed", StateChecks::saved)
                    .and("vhost.state.15", "vhost.state.28"),
            Check.of("vhost.state.2", "a device continues after its state was saved", StateChecks::goesOn),
            Check.of("vhost.state.7", "a state is loaded up to the end of its channel", StateChecks::loadedInParts)
                    .and("vhost.state.28"),
            Check.of(
                    "vhost.state.15",
                    "CHECK_DEVICE_STATE is answered when the transfer has ended",
                    StateChecks::checkWaits),
            Check.of(
                            "vhost.state.10",
                            "a driver continues after its device's state was loaded, split ring",
                            trial -> moved(trial, WISH))
                    .and("vhost.state.11"),
            Check.of(
                            "vhost.state.10",
                            "a driver continues after its device's state was loaded, packed ring",
                            trial -> moved(trial, WISH.with(Features.RING_PACKED)))
                    .and("vhost.state.11"),
            Check.of("vhost.state.23", "a transfer that begins is answered with success", StateChecks::begins)
                    .and("vhost.state.24", "vhost.state.20"),
            Check.of("vhost.state.26", "an error reply has no descriptor", StateChecks::errorWithoutDescriptor)
                    .and("vhost.state.24", "vhost.state.23"),
            Check.of(
                            "vhost.state.19",
                            "a channel that the back-end provides is a stream that ends",
                            StateChecks::ownChannel)
                    .and("vhost.state.20"),
            Check.of("vhost.state.28", "a truncated state is not loaded", StateChecks::halfAState),
            Check.of(
                    "vhost.state.28",
                    "after a transfer that did not begin, CHECK_DEVICE_STATE reports an error",
                    StateChecks::nothingBegun));

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private static final int UNKNOWN_DIRECTION = 7;
    private static final int UNKNOWN_PHASE = 5;
    private static final int CONFIG_SIZE = 16;
    /** ACKNOWLEDGE, DRIVER, FEATURES_OK and DRIVER_OK. */
    private static final int DRIVER_READY = 15;

    private StateChecks() {}

    /** A session that has served a request, if one is known, and whose rings are all stopped. */
    private static Session stopped(Trial trial, Session session) throws IOException {
        if (trial.sample().isPresent()) {
            session.start().serve();
            session.device().stop();
        }
        return session;
    }

    private static Session stopped(Trial trial) throws IOException {
        return stopped(trial, trial.session(WISH));
    }

    private static void saved(Trial trial) throws Exception {
        Session session = stopped(trial);
        byte[] first = Transfer.save(trial, session.frontEnd());
        byte[] second = Transfer.save(trial, session.frontEnd());
        trial.transcript().say("saved twice: " + first.length + " and " + second.length + " bytes");
        // The state must be complete: the same back-end can load it.
        Transfer.load(trial, session.frontEnd(), second);
    }

    private static void goesOn(Trial trial) throws Exception {
        Session session = trial.running(WISH);
        session.serve();
        for (int i = 0; i < 2; i++) {
            session.device().stop();
            Transfer.save(trial, session.frontEnd());
            session.device().start();
            session.serve();
            session.serve();
        }
    }

    private static void loadedInParts(Trial trial) throws Exception {
        Session session = stopped(trial);
        byte[] state = Transfer.save(trial, session.frontEnd());
        try (Transfer transfer = Transfer.begin(trial, session.frontEnd(), Transfer.LOAD)) {
            for (int at = 0; at < state.length; at += Math.max(1, state.length / 5)) {
                transfer.write(Arrays.copyOfRange(
                        state, at, Math.min(state.length, at + Math.max(1, state.length / 5))));
            }
        }
        long checked = Transfer.check(session.frontEnd());
        trial.expect(
                checked == 0,
                "CHECK_DEVICE_STATE was answered with " + checked + " after a state of " + state.length
                        + " bytes was loaded in parts");
    }

    private static void checkWaits(Trial trial) throws Exception {
        Session session = stopped(trial);
        byte[] state = Transfer.save(trial, session.frontEnd());
        if (state.length < 2) {
            throw new Skipped("the state has " + state.length + " bytes");
        }
        Connection connection = session.connection();
        try (Transfer transfer = Transfer.begin(trial, session.frontEnd(), Transfer.LOAD)) {
            transfer.write(Arrays.copyOf(state, state.length / 2));
            session.frontEnd().send(Request.CHECK_DEVICE_STATE, Connection.VERSION, Payload.none(), List.of());
            trial.expect(
                    !connection.awaitReadable(trial.limits().quiet()),
                    "CHECK_DEVICE_STATE was answered when half of the state had been written and the channel was open");
            transfer.write(Arrays.copyOfRange(state, state.length / 2, state.length));
        }
        Reply reply = connection.receive();
        trial.expect(
                reply.request() == Request.CHECK_DEVICE_STATE && reply.asLong() == 0,
                "CHECK_DEVICE_STATE was answered with a reply to request " + reply.request() + " and " + reply.asLong()
                        + ", not with 0, when the state had been written");
    }

    private static void moved(Trial trial, Wish wish) throws Exception {
        GuestRam ram = trial.closeLater(GuestRam.ofLayout(trial.memoryWith(0, 16L << 20)));
        Session source = trial.session(wish, ram).start();
        source.serve();
        source.serve();
        long features = source.device().features();
        byte[] config = config(source);
        source.device().stop();
        byte[] state = Transfer.save(trial, source.frontEnd());
        source.connection().shutdown();
        source.connection().close();
        Session destination = trial.session(wish, ram);
        Transfer.load(trial, destination.frontEnd(), state);
        trial.expect(
                destination.device().features() == features,
                "the device offers features 0x"
                        + Long.toHexString(destination.device().features()) + " after it was moved, and 0x"
                        + Long.toHexString(features) + " before");
        trial.expect(
                Arrays.equals(config(destination), config),
                "the config space is " + Arrays.toString(config(destination)) + " after the device was moved, and was "
                        + Arrays.toString(config));
        for (RingDriver ring : source.device().rings()) {
            destination.device().start(ring, ring.base(), false);
        }
        if (destination.hasProtocol(Protocol.STATUS)) {
            destination.frontEnd().setStatus(DRIVER_READY);
        }
        // The driver has the rings, and notices nothing.
        source.serve();
        source.serve();
    }

    /** The first bytes of the config space; empty if the back-end has none. */
    private static byte[] config(Session session) throws IOException {
        if (!session.hasProtocol(Protocol.CONFIG)) {
            return new byte[0];
        }
        try {
            return session.frontEnd().getConfig(0, CONFIG_SIZE);
        } catch (RequestRefusedException e) {
            return new byte[0];
        }
    }

    private static void begins(Trial trial) throws Exception {
        Session session = stopped(trial);
        try (Transfer transfer = Transfer.begin(trial, session.frontEnd(), Transfer.SAVE)) {
            trial.transcript()
                    .say(
                            transfer.isOfBackEnd()
                                    ? "the back-end provided the channel"
                                    : "the front-end's channel is used");
            transfer.readAll();
        }
        Transfer.check(session.frontEnd());
    }

    private static void errorWithoutDescriptor(Trial trial) throws Exception {
        for (int[] wrong : new int[][] {{UNKNOWN_DIRECTION, 0}, {Transfer.SAVE, UNKNOWN_PHASE}}) {
            String what = "SET_DEVICE_STATE_FD of direction " + wrong[0] + " and phase " + wrong[1];
            Session session = stopped(trial);
            PipeEnd.Pipe pipe = PipeEnd.pipe();
            try (Fd _ = pipe.readEnd();
                    Fd theirs = pipe.writeEnd()) {
                Answer answer = Transfer.ask(session.frontEnd(), wrong[0], wrong[1], theirs);
                answer.fds().forEach(trial::closeLater);
                trial.expect(
                        answer.isError(), what + " was answered with success, 0x" + Long.toHexString(answer.value()));
                trial.expect(answer.fds().isEmpty(), what + " was answered with an error and a descriptor");
                trial.expect(
                        (answer.value() & Transfer.NO_FD) != 0,
                        what + " was answered with 0x" + Long.toHexString(answer.value())
                                + ": no descriptor came, and bit 8 is not set");
            } catch (IOException e) {
                if (!Closing.is(e)) {
                    throw e;
                }
                trial.refused(what);
            }
            session.device().close();
        }
    }

    private static void ownChannel(Trial trial) throws Exception {
        Session session = stopped(trial);
        byte[] state;
        try (Transfer transfer = Transfer.begin(trial, session.frontEnd(), Transfer.SAVE)) {
            transfer.requireOfBackEnd();
            state = transfer.readAll();
        }
        try (Transfer transfer = Transfer.begin(trial, session.frontEnd(), Transfer.LOAD)) {
            for (byte one : state) {
                transfer.write(new byte[] {one});
            }
        }
        long checked = Transfer.check(session.frontEnd());
        trial.expect(checked == 0, "CHECK_DEVICE_STATE was answered with " + checked + " after the channel was closed");
    }

    private static void halfAState(Trial trial) throws Exception {
        Session session = stopped(trial);
        byte[] state = Transfer.save(trial, session.frontEnd());
        if (state.length < 2) {
            throw new Skipped("the state has " + state.length + " bytes");
        }
        try {
            try (Transfer transfer = Transfer.begin(trial, session.frontEnd(), Transfer.LOAD)) {
                transfer.write(Arrays.copyOf(state, state.length / 2));
            } catch (EOFException e) {
                trial.transcript().say("the back-end closed its end before it had read half of the state");
            }
            long checked = Transfer.check(session.frontEnd());
            trial.expect(
                    checked != 0,
                    "CHECK_DEVICE_STATE was answered with success after " + state.length / 2 + " of " + state.length
                            + " bytes of a state");
        } catch (IOException e) {
            if (!Closing.is(e)) {
                throw e;
            }
            trial.refused("a truncated state");
        }
    }

    private static void nothingBegun(Trial trial) throws Exception {
        Session session = stopped(trial);
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        try (Fd _ = pipe.readEnd();
                Fd theirs = pipe.writeEnd()) {
            Answer answer = Transfer.ask(session.frontEnd(), UNKNOWN_DIRECTION, 0, theirs);
            answer.fds().forEach(Fd::close);
            if (!answer.isError()) {
                throw new Skipped("a direction that does not exist is accepted");
            }
        } catch (IOException e) {
            if (!Closing.is(e)) {
                throw e;
            }
            trial.refused("a direction that does not exist");
            return;
        }
        trial.expect(
                Transfer.check(session.frontEnd()) != 0,
                "CHECK_DEVICE_STATE was answered with success, although no transfer had begun");
    }
}
