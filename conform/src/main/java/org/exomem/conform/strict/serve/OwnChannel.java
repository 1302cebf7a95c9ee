package org.exomem.conform.strict.serve;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Optional;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.front.MessageReader;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.wire.Transcript;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.Traffic;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.Poll;
import org.jspecify.annotations.Nullable;

/**
 * The channel on which the device reports changes of its config space. Some front-ends end if they read such a message
 * while the device is not started (docs/qemu.md). So the message is sent in two parts. The second part is sent when the
 * front-end has read the first: it can't stop the device any more before it reads the rest. If the front-end stopped
 * the device before, the second part turns the message into one without a meaning. For one thread.
 */
final class OwnChannel implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(2);
    private static final Duration TO_ANSWER = Duration.ofSeconds(5);
    private static final Duration TO_READ = Duration.ofSeconds(20);
    private static final int SEND_MILLIS = 1000;

    private final MessageSocket socket;
    private final MessageReader reader;
    private final Traffic traffic;
    private final Fd frontEnd;
    private boolean wanted;
    private boolean begun;
    private long begunAt;
    private boolean answerDue;
    private long answerSince;
    private boolean closed;

    /** @param frontEnd the front-end's connection */
    OwnChannel(Fd fd, Fd frontEnd, Transcript transcript) {
        this.socket = new MessageSocket(fd);
        this.traffic = transcript.backEndsOwnChannel();
        this.reader = new MessageReader(socket, traffic, PATIENCE);
        this.frontEnd = frontEnd;
    }

    /** The descriptor to wait on; null if the front-end has closed the channel. */
    @Nullable
    Fd fd() {
        return closed ? null : socket.fd();
    }

    /** The config space has changed: reports it once the device is started. */
    void want() {
        wanted = true;
    }

    /** True while a message is sent only in part. */
    boolean isBusy() {
        return begun;
    }

    /** Takes the next step. Returns an event for the observers, if there is one. */
    Optional<Event> step(Scene scene, long now) throws IOException {
        if (closed) {
            return Optional.empty();
        }
        if (Poll.readable(socket.fd(), Duration.ZERO)) {
            return Optional.ofNullable(answer());
        }
        if (answerDue && scene.isOver(answerSince, now, TO_ANSWER)) {
            answerDue = false;
            return Optional.of(new Event.Unanswered(
                    "CONFIG_CHANGE with need-reply was not answered within " + TO_ANSWER.toSeconds() + " s"));
        }
        if (begun) {
            finish(scene, now);
        } else if (wanted && !answerDue && scene.isRunning()) {
            wanted = false;
            begun = true;
            begunAt = now;
            send(message(scene, Request.BackEnd.CONFIG_CHANGE), 0, 1);
        }
        return Optional.empty();
    }

    private void finish(Scene scene, long now) throws IOException {
        boolean read = socket.isAllRead();
        if (read && Poll.readable(frontEnd, Duration.ZERO)) {
            // Messages that the front-end sent before it read the first part must be known first.
            return;
        }
        if (!read && now - begunAt < TO_READ.toNanos()) {
            return;
        }
        boolean tell = read && scene.isRunning();
        byte[] bytes = message(scene, tell ? Request.BackEnd.CONFIG_CHANGE : Request.BackEnd.WITHDRAWN);
        begun = false;
        send(bytes, 1, bytes.length);
        traffic.sent(bytes, 0);
        if (tell) {
            awaitAnswer(bytes, now);
        } else {
            wanted = true;
        }
    }

    /** Sends the message at once, in any state of the device. */
    void provoke(Scene scene, long now) throws LinuxException {
        byte[] bytes = message(scene, Request.BackEnd.CONFIG_CHANGE);
        traffic.sent(bytes, 0);
        send(bytes, 0, bytes.length);
        awaitAnswer(bytes, now);
    }

    private void awaitAnswer(byte[] bytes, long now) {
        answerDue = (bytes[4] & Connection.NEED_REPLY) != 0;
        answerSince = now;
    }

    private static byte[] message(Scene scene, int request) {
        boolean answered = request == Request.BackEnd.CONFIG_CHANGE && scene.hasProtocol(Protocol.REPLY_ACK);
        return Connection.encode(request, Connection.VERSION | (answered ? Connection.NEED_REPLY : 0), Payload.none());
    }

    private void send(byte[] bytes, int from, int to) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(to - from);
            MemorySegment.copy(bytes, from, copy, ValueLayout.JAVA_BYTE, 0, to - from);
            socket.send(copy, java.util.List.of(), SEND_MILLIS);
        } catch (LinuxException e) {
            closed = true;
        }
    }

    private @Nullable Event answer() throws IOException {
        MessageReader.Read read = reader.read();
        if (!(read instanceof MessageReader.Whole(FrontEndMessage message))) {
            closed = true;
            return null;
        }
        message.fds().forEach(Fd::close);
        boolean was = answerDue;
        answerDue = false;
        boolean right = was
                && message.request() == Request.BackEnd.CONFIG_CHANGE
                && message.flags() == Reply.REPLY_FLAGS
                && message.payload().length == Long.BYTES;
        return right
                ? new Event.Answered()
                : new Event.Unanswered("the device's own channel received request " + message.request()
                        + " with flags 0x"
                        + Integer.toHexString(message.flags()) + " and " + message.payload().length
                        + " bytes" + (was ? " as the reply to CONFIG_CHANGE" : ", without a request of the device"));
    }

    /** True if an answer has not come yet. */
    boolean isAnswerDue() {
        return answerDue;
    }

    /** The time since the request, in milliseconds. */
    long awaitedMillis(long now) {
        return (now - answerSince) / 1_000_000;
    }

    @Override
    public void close() {
        closed = true;
        socket.close();
    }
}
