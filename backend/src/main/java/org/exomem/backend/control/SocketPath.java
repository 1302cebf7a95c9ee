package org.exomem.backend.control;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import org.exomem.vhostuser.linux.Errno;
import org.exomem.vhostuser.linux.LinuxException;
import org.exomem.vhostuser.linux.UnixSockets;

/** Where the control socket is, and whether its place is free. */
public final class SocketPath {
    private SocketPath() {}

    /** The path that server and client agree on without being told: the user's own folder for sockets. */
    public static Path ofUser() {
        String runtime = System.getenv("XDG_RUNTIME_DIR");
        if (runtime != null && !runtime.isEmpty()) {
            return Path.of(runtime, "exomem.sock");
        }
        Object user = user();
        return user.equals(0) ? Path.of("/run/exomem.sock") : Path.of("/tmp", "exomem-" + user + ".sock");
    }

    private static Object user() {
        try {
            return Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        } catch (IOException | UnsupportedOperationException e) {
            return System.getProperty("user.name");
        }
    }

    /** Removes a socket on which nobody listens any more. */
    static void makeWay(Path path) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!Files.readAttributes(path, java.nio.file.attribute.BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                .isOther()) {
            throw new IOException("control socket " + path + " can't be made: something that is no socket is there");
        }
        try {
            UnixSockets.connect(path).close();
        } catch (LinuxException e) {
            if (e.errno() == Errno.ECONNREFUSED) {
                Files.deleteIfExists(path);
                return;
            }
            throw e;
        }
        throw new IOException("another process listens on the control socket " + path
                + "; choose another path with --control, or end that process (exomem quit)");
    }
}
