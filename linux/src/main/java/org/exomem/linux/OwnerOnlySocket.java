package org.exomem.linux;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Puts a Unix socket that a library binds at its path, with access for its owner only. {@link ListeningSocket} does this for
 * exomem's own sockets, where it can set the permissions between binding and listening.
 */
public final class OwnerOnlySocket {
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");

    private static final FileAttribute<?> OWNER_FOLDER =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    private static final String UNFINISHED = "s";
    private static final int MOST_TRIES = 100;
    private static final int O_CLOEXEC = 0x80000;

    private OwnerOnlySocket() {}

    /** Binds a socket, and listens. */
    @FunctionalInterface
    public interface Binding {
        /**
         * @param path where nothing exists
         * @throws IOException if it can't be bound
         */
        void bind(Path path) throws IOException;
    }

    /**
     * Binds the socket in a folder beside its path that only this user can enter, and gives it its own name when the
     * permissions are right. So other users can never connect, whatever the umask. Does not replace anything at the path.
     *
     * @param path at most {@link UnixSockets#MAX_PATH_BYTES} bytes; nothing may exist there, see {@link StaleSocket}
     * @return the socket's path, to be removed at the end
     * @throws IOException if it can't be bound, or something is at the path by now
     */
    public static OwnPath bind(Path path, Binding binding) throws IOException {
        Path folder = closedFolder(path);
        Path unfinished = folder.resolve(UNFINISHED);
        try {
            bindAt(unfinished, folder, binding);
            Files.setPosixFilePermissions(unfinished, OWNER_ONLY);
            // Unlike a rename, a link replaces nothing.
            Files.createLink(path, unfinished);
            return OwnPath.of(path);
        } finally {
            Files.deleteIfExists(unfinished);
            Files.deleteIfExists(folder);
        }
    }

    /** The path of a socket is shorter than other paths may be; the kernel has a short path for an open folder. */
    private static void bindAt(Path unfinished, Path folder, Binding binding) throws IOException {
        if (bytes(unfinished) <= UnixSockets.MAX_PATH_BYTES) {
            binding.bind(unfinished);
            return;
        }
        MemorySegment name = NativeBuffer.ofUtf8(folder.toString());
        int result = LibC.open(name.address(), O_CLOEXEC, 0);
        Reference.reachabilityFence(name);
        try (Fd open = Fd.of(result, "open", folder.toString())) {
            binding.bind(Path.of("/proc/self/fd", Integer.toString(open.number()), UNFINISHED));
        }
    }

    private static Path closedFolder(Path path) throws IOException {
        String prefix = "." + path.getFileName() + ".";
        Path chosen = path.resolveSibling(prefix + ProcessHandle.current().pid());
        for (int tries = 0; ; tries++) {
            try {
                return Files.createDirectory(chosen, OWNER_FOLDER);
            } catch (FileAlreadyExistsException e) {
                // A process with that number was killed, or another user has made the folder.
                if (tries == MOST_TRIES) {
                    throw e;
                }
            }
            chosen = path.resolveSibling(prefix + ThreadLocalRandom.current().nextInt(Integer.MAX_VALUE));
        }
    }

    private static int bytes(Path path) {
        return path.toString().getBytes(StandardCharsets.UTF_8).length;
    }
}
