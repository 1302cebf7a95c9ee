package org.exomem.conform.checks.state;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.StateChannel;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;

/** One transfer of a device's state: the front-end's end of the channel, which either side may have created. */
public final class Transfer implements AutoCloseable {
    static final int SAVE = 0;
    static final int LOAD = 1;
    /** Flag of the answer: no descriptor came with it. */
    static final int NO_FD = 1 << 8;

    private static final int ERROR = 0xff;

    private final Trial trial;
    private final Fd channel;
    private final boolean ofBackEnd;

    private Transfer(Trial trial, Fd channel, boolean ofBackEnd) {
        this.trial = trial;
        this.channel = channel;
        this.ofBackEnd = ofBackEnd;
    }

    /**
     * The back-end's answer to SET_DEVICE_STATE_FD.
     *
     * @param value the whole number
     * @param fds the descriptors that came with it; the receiver closes them
     */
    record Answer(long value, List<Fd> fds) {
        boolean isError() {
            return (value & ERROR) != 0;
        }
    }

    /** Requests a transfer. The back-end's end of a channel remains the caller's. */
    static Answer ask(FrontEnd frontEnd, int direction, int phase, Fd theirs) throws IOException {
        frontEnd.send(
                Request.SET_DEVICE_STATE_FD,
                Connection.VERSION,
                Payload.deviceState(direction, phase),
                List.of(theirs));
        Reply reply = frontEnd.connection().receive();
        if (reply.request() != Request.SET_DEVICE_STATE_FD) {
            reply.fds().forEach(Fd::close);
            throw new Unmet("SET_DEVICE_STATE_FD was answered with a reply to request " + reply.request());
        }
        return new Answer(reply.asLong(), reply.fds());
    }

    /** Begins a transfer. Fails the check if the back-end refuses it. */
    static Transfer begin(Trial trial, FrontEnd frontEnd, int direction) throws IOException {
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        Fd ours = trial.closeLater(direction == SAVE ? pipe.readEnd() : pipe.writeEnd());
        Answer answer;
        try (Fd theirs = direction == SAVE ? pipe.writeEnd() : pipe.readEnd()) {
            answer = ask(frontEnd, direction, 0, theirs);
        }
        answer.fds().forEach(trial::closeLater);
        trial.expect(
                !answer.isError(),
                "SET_DEVICE_STATE_FD with all rings stopped was answered with error " + (answer.value() & ERROR));
        boolean own = (answer.value() & NO_FD) == 0;
        trial.expect(
                answer.fds().size() == (own ? 1 : 0),
                "the answer 0x" + Long.toHexString(answer.value()) + " to SET_DEVICE_STATE_FD came with "
                        + answer.fds().size() + " descriptors");
        return new Transfer(trial, own ? answer.fds().getFirst() : ours, own);
    }

    /** Skips the check if the front-end created the channel. */
    void requireOfBackEnd() {
        if (!ofBackEnd) {
            throw new Skipped("the back-end provides no channel");
        }
    }

    boolean isOfBackEnd() {
        return ofBackEnd;
    }

    /** Reads up to the end of the data. */
    byte[] readAll() throws IOException {
        return StateChannel.readAll(channel, trial.limits().answer());
    }

    void write(byte[] part) throws IOException {
        StateChannel.writeAll(channel, part, trial.limits().answer());
    }

    /** Closes the channel. */
    @Override
    public void close() {
        channel.close();
    }

    /** The result of the last transfer: 0 for success. */
    static long check(FrontEnd frontEnd) throws IOException {
        return frontEnd.checkDeviceState();
    }

    /** Saves the state of a device whose rings are stopped. Fails the check if the back-end does not provide it. */
    public static byte[] save(Trial trial, FrontEnd frontEnd) throws IOException {
        byte[] state;
        try (Transfer transfer = begin(trial, frontEnd, SAVE)) {
            state = transfer.readAll();
        }
        long checked = check(frontEnd);
        trial.expect(
                checked == 0,
                "CHECK_DEVICE_STATE was answered with " + checked + " after all of the state had been read");
        trial.transcript().say("the state has " + state.length + " bytes");
        return state;
    }

    /** Loads a state. Fails the check if the back-end does not accept it. */
    public static void load(Trial trial, FrontEnd frontEnd, byte[] state) throws IOException {
        try (Transfer transfer = begin(trial, frontEnd, LOAD)) {
            transfer.write(state);
        }
        long checked = check(frontEnd);
        trial.expect(
                checked == 0,
                "CHECK_DEVICE_STATE was answered with " + checked
                        + " after a state was loaded that the same back-end had saved");
    }
}
