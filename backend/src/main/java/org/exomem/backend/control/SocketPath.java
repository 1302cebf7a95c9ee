package org.exomem.backend.control;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where the control socket is, if nobody says otherwise. */
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
}
