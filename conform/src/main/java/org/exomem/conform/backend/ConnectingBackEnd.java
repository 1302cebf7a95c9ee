package org.exomem.conform.backend;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.conform.trial.BackEnd;
import org.exomem.linux.Fd;
import org.exomem.linux.Poll;
import org.exomem.linux.UnixSockets;

/** A back-end that connects to a socket on which exomem listens, and connects again after each session. */
public final class ConnectingBackEnd implements BackEnd {
    private static final int BACKLOG = 16;

    private final Path socket;
    private final Duration limit;
    private final Fd listening;
    private OptionalLong pid = OptionalLong.empty();

    /**
     * @param socket path to listen on; must not exist
     * @param limit the longest time to wait for the back-end
     */
    public ConnectingBackEnd(Path socket, Duration limit) throws IOException {
        this.socket = socket;
        this.limit = limit;
        this.listening = UnixSockets.listen(socket, BACKLOG);
    }

    @Override
    public String description() {
        return "the back-end that connects to " + socket;
    }

    @Override
    public Fd connect() throws IOException {
        Fd accepted = Poll.readable(listening, limit) ? UnixSockets.accept(listening) : null;
        if (accepted == null) {
            throw new SocketTimeoutException("no back-end connected within " + limit.toSeconds() + " s");
        }
        pid = OptionalLong.of(UnixSockets.peer(accepted));
        return accepted;
    }

    @Override
    public OptionalLong pid() {
        return pid;
    }

    @Override
    public Optional<Ending> ended() {
        return Optional.empty();
    }

    @Override
    public void close() {
        listening.close();
        try {
            Files.deleteIfExists(socket);
        } catch (IOException e) {
            // The file stays behind, which is harmless.
        }
    }
}
