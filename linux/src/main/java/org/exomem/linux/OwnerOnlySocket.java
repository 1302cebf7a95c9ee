package org.exomem.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Puts a Unix socket that a library binds and listens on at its path, for its owner only. {@link ListeningSocket} does the same
 * for sockets of our own, where it can set the permissions between binding and listening.
 */
public final class OwnerOnlySocket {
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");

    private OwnerOnlySocket() {}

    /** Binds a socket, and listens. */
    @FunctionalInterface
    public interface Binding {
        /** @param path where nothing is */
        void bind(Path path) throws IOException;
    }

    /**
     * Has the socket bound under another name in the same folder, and gives it its own name when the permissions are right: at
     * no moment can others connect. What is at the path is not replaced.
     *
     * @param path at most {@link UnixSockets#MAX_PATH_BYTES} bytes; nothing may be there, see {@link StaleSocket}
     * @return what was made, to be removed at the end
     * @throws IOException if it can't be bound, or something is at the path by now
     */
    public static OwnPath bind(Path path, Binding binding) throws IOException {
        Path unfinished = unfinished(path);
        Files.deleteIfExists(unfinished);
        try {
            binding.bind(unfinished);
            Files.setPosixFilePermissions(unfinished, OWNER_ONLY);
            // Unlike a rename, a link replaces nothing.
            Files.createLink(path, unfinished);
            return OwnPath.of(path);
        } finally {
            Files.deleteIfExists(unfinished);
        }
    }

    /** A name beside the socket's: one that explains itself, or where there is no room for that, one of its length. */
    private static Path unfinished(Path path) {
        Path name = path.getFileName();
        Path plain =
                path.resolveSibling("." + name + "." + ProcessHandle.current().pid());
        if (bytes(plain) <= UnixSockets.MAX_PATH_BYTES) {
            return plain;
        }
        StringBuilder random = new StringBuilder();
        Path chosen;
        do {
            random.setLength(0);
            for (int i = bytes(name); i > 0; i--) {
                random.append((char) ThreadLocalRandom.current().nextInt('a', 'z' + 1));
            }
            chosen = path.resolveSibling(random.toString());
        } while (Files.exists(chosen, LinkOption.NOFOLLOW_LINKS) || chosen.equals(path));
        return chosen;
    }

    private static int bytes(Path path) {
        return path.toString().getBytes(StandardCharsets.UTF_8).length;
    }
}
