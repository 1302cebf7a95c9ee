package org.exomem.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * A Unix stream socket that listens at a path of the file system, and that this process made. No process can connect before
 * its permissions are right. At the end only this socket is removed, never one that another process made at its path
 * (VHU-PRG-3). Safe for use by several threads.
 */
public final class ListeningSocket implements AutoCloseable {
    private final Fd fd;
    private final OwnPath path;

    private ListeningSocket(Fd fd, OwnPath path) {
        this.fd = fd;
        this.path = path;
    }

    /**
     * Makes the socket and listens, non-blocking. Replaces a socket of a process that has ended.
     *
     * @param path at most {@link UnixSockets#MAX_PATH_BYTES} bytes; its folder must exist
     * @param backlog how many connections may wait to be accepted
     * @throws LinuxException EADDRINUSE if another process listens there, or the path is no socket; EPERM if this process
     *     may not give the socket to that group; ENAMETOOLONG, ENOENT, EACCES, …
     */
    public static ListeningSocket open(Path path, int backlog, SocketAccess access) throws LinuxException {
        StaleSocket.remove(path);
        Fd fd = UnixSockets.bind(path);
        @Nullable OwnPath own = null;
        try {
            own = OwnPath.of(path);
            restrict(path, access);
            UnixSockets.listen(fd, path, backlog);
            return new ListeningSocket(fd, own);
        } catch (LinuxException e) {
            if (own != null) {
                remove(own);
            }
            fd.close();
            throw e;
        }
    }

    private static void restrict(Path path, SocketAccess access) throws LinuxException {
        if (access.group() != null) {
            try {
                Files.setAttribute(path, "posix:group", access.group(), LinkOption.NOFOLLOW_LINKS);
            } catch (IOException e) {
                throw new LinuxException(
                        "chown",
                        path.toString(),
                        Errno.EPERM,
                        "group " + access.group().getName() + " can be set only by root and by members of the group");
            }
        }
        UnixSockets.setMode(path, access.mode());
    }

    /** The socket, to accept from; open until {@link #close}. */
    public Fd fd() {
        return fd;
    }

    /** Where it listens. */
    public Path path() {
        return path.path();
    }

    /** Removes the socket's path if it is still this socket's, and stops listening. */
    @Override
    public void close() {
        if (fd.isOpen()) {
            remove(path);
            fd.close();
        }
    }

    private static void remove(OwnPath path) {
        try {
            path.remove();
        } catch (IOException e) {
            // A remaining socket does no harm: the next process finds that no process listens there, and replaces it.
        }
    }
}
