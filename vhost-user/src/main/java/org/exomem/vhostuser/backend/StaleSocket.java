package org.exomem.vhostuser.backend;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import org.exomem.vhostuser.linux.Errno;
import org.exomem.vhostuser.linux.LinuxException;
import org.exomem.vhostuser.linux.UnixSockets;

/** Sockets that a process which is gone has left in the file system. */
public final class StaleSocket {
    private StaleSocket() {}

    /**
     * Removes the socket if nobody listens on it; does nothing where there is none.
     *
     * @throws LinuxException with EADDRINUSE if somebody listens, or the path is something other than a socket
     */
    public static void remove(Path path) throws LinuxException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!isSocket(path)) {
            throw new LinuxException(
                    "bind", path.toString(), Errno.EADDRINUSE, "something that is no socket is there, move it away");
        }
        try {
            UnixSockets.connectNow(path).close();
        } catch (LinuxException e) {
            if (e.errno() == Errno.ECONNREFUSED) {
                delete(path);
                return;
            }
            if (e.errno() != Errno.EAGAIN) {
                throw e;
            }
        }
        throw new LinuxException(
                "bind",
                path.toString(),
                Errno.EADDRINUSE,
                "another process listens there, end it or choose another path");
    }

    private static boolean isSocket(Path path) throws LinuxException {
        try {
            int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
            return (mode & 0xf000) == 0xc000;
        } catch (IOException e) {
            throw new LinuxException("stat", path.toString(), Errno.EACCES);
        }
    }

    private static void delete(Path path) throws LinuxException {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new LinuxException("unlink of a stale socket", path.toString(), Errno.EACCES);
        }
    }
}
