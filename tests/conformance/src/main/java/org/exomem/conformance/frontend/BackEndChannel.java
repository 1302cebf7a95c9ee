package org.exomem.conformance.frontend;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.exomem.linux.Fd;

/** The socket on which the back-end sends requests and the front-end answers. For one thread at a time. */
public final class BackEndChannel implements AutoCloseable {
    private final Connection connection;

    BackEndChannel(Fd fd, Duration limit, Traffic traffic) {
        this.connection = new Connection(fd, limit, traffic);
    }

    /** Waits for a request of the back-end. Replies with success if the request asks for a reply. */
    public Reply receive() throws IOException {
        Reply request = connection.receive();
        if ((request.flags() & Connection.NEED_REPLY) != 0) {
            connection.send(request.request(), Reply.REPLY_FLAGS, Payload.number(0), List.of());
        }
        return request;
    }

    /**
     * Waits for one kind of request.
     *
     * @param request one of {@link Request.BackEnd}
     * @throws IOException also if another request comes
     */
    public Reply await(int request) throws IOException {
        Reply received = receive();
        if (received.request() != request) {
            throw new IOException("the back-end sent request " + received.request() + ", not " + request);
        }
        return received;
    }

    /** True if the back-end sends something within the time. */
    public boolean awaitReadable(Duration time) throws IOException {
        return connection.awaitReadable(time);
    }

    /** The connection itself. */
    public Connection connection() {
        return connection;
    }

    @Override
    public void close() {
        connection.close();
    }
}
