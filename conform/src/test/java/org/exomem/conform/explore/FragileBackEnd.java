package org.exomem.conform.explore;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Phaser;
import java.util.function.Predicate;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;

/**
 * Answers requests for numbers with 0 and accepts everything else, until a certain message comes: then it stays silent.
 */
final class FragileBackEnd implements BackEnd {
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private final Fd listening;
    private final Path socket;
    private final Predicate<Reply> unbearable;
    /** The sessions that are served now. */
    private final Phaser sessions = new Phaser(1);

    private volatile boolean broken;

    FragileBackEnd(Path socket, Predicate<Reply> unbearable) throws IOException {
        this.socket = socket;
        this.unbearable = unbearable;
        this.listening = UnixSockets.listen(socket, 16);
    }

    @Override
    public String description() {
        return "fragile";
    }

    @Override
    public Fd connect() throws IOException {
        Fd connected = UnixSockets.connect(socket);
        Fd accepted = UnixSockets.accept(listening);
        if (accepted == null) {
            throw new IOException("nobody connected");
        }
        sessions.register();
        Thread.ofVirtual().start(() -> serve(accepted));
        return connected;
    }

    private void serve(Fd accepted) {
        try (Connection connection = new Connection(accepted, LIMIT)) {
            while (true) {
                Reply message = connection.receive();
                message.fds().forEach(Fd::close);
                broken |= unbearable.test(message);
                if (!broken && isQuestion(message)) {
                    connection.send(message.request(), Reply.REPLY_FLAGS, Payload.number(0), List.of());
                }
            }
        } catch (IOException e) {
            // The front-end has gone, or sent an invalid message.
        } finally {
            sessions.arriveAndDeregister();
        }
    }

    private static boolean isQuestion(Reply message) {
        return message.request() == Request.GET_FEATURES || message.request() == Request.GET_PROTOCOL_FEATURES;
    }

    @Override
    public OptionalLong pid() {
        return OptionalLong.empty();
    }

    @Override
    public Optional<Ending> ended() {
        // The reader has closed the connection; the next session begins with a whole message.
        sessions.arriveAndAwaitAdvance();
        broken = false;
        return Optional.empty();
    }

    @Override
    public void close() {
        listening.close();
    }
}
