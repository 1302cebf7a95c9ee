package org.exomem.backend.config;

import java.nio.file.Path;
import java.util.Optional;
import org.exomem.linux.SocketAccess;

/** How a device and its front-end connect. */
public sealed interface Attachment {
    /** The path of the socket, if it has one. */
    default Optional<Path> path() {
        return switch (this) {
            case Listen listen -> Optional.of(listen.socket);
            case Connect connect -> Optional.of(connect.socket);
            case Inherited inherited -> Optional.empty();
        };
    }

    /**
     * exomem listens on a Unix socket, and the front-end connects.
     *
     * @param access the users who may connect
     */
    record Listen(Path socket, SocketAccess access) implements Attachment {
        /** Only the process's own user may connect. */
        public Listen(Path socket) {
            this(socket, SocketAccess.OWNER_ONLY);
        }

        @Override
        public String toString() {
            return socket.toString();
        }
    }

    /** The front-end listens on a Unix socket. exomem connects, and connects again whenever the connection has ended. */
    record Connect(Path socket) implements Attachment {
        @Override
        public String toString() {
            return socket + " (connecting)";
        }
    }

    /** A descriptor that the process has inherited: a listening or a connected socket. */
    record Inherited(int fd) implements Attachment {
        @Override
        public String toString() {
            return "fd " + fd;
        }
    }
}
