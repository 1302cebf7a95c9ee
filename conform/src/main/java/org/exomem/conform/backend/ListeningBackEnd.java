package org.exomem.conform.backend;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import org.exomem.conform.trial.BackEnd;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;

/** A back-end that runs already and listens on a socket. */
public final class ListeningBackEnd implements BackEnd {
    private final Path socket;
    private OptionalLong pid = OptionalLong.empty();

    public ListeningBackEnd(Path socket) {
        this.socket = socket;
    }

    @Override
    public String description() {
        return socket.toString();
    }

    @Override
    public Fd connect() throws IOException {
        Fd connected = UnixSockets.connect(socket);
        pid = OptionalLong.of(UnixSockets.peer(connected));
        return connected;
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
    public void close() {}
}
