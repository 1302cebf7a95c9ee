package org.exomem.backend.control;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.EnumSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The default path of the control socket (CTL-22). */
public final class SocketPath {
    private static final String NAME = "exomem.sock";
    private static final Set<PosixFilePermission> ONLY_OWNER = PosixFilePermissions.fromString("rwx------");

    private SocketPath() {}

    /** The path that server and client use if none is given, in the user's own folder for sockets. */
    public static Path ofUser() {
        return of(System.getenv("XDG_RUNTIME_DIR"), uid(), Path.of("/tmp"));
    }

    static Path of(@Nullable String runtime, Object uid, Path temporary) {
        if (runtime != null && !runtime.isEmpty()) {
            return Path.of(runtime, NAME);
        }
        return uid.equals(0) ? Path.of("/run", NAME) : ownFolder(temporary, uid).resolve(NAME);
    }

    private static Path ownFolder(Path temporary, Object uid) {
        return temporary.resolve("exomem-" + uid);
    }

    private static Object uid() {
        try {
            return Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        } catch (IOException | UnsupportedOperationException e) {
            return System.getProperty("user.name");
        }
    }

    /**
     * Makes the folder of the user's own control socket, if the path is the default. Other users can guess its name, and
     * must not be able to put anything there.
     *
     * @throws IOException if it can't be made, or exists and other users have access
     */
    static void makeFolder(Path socket) throws IOException {
        Path own = ownFolder(Path.of("/tmp"), uid());
        if (own.equals(socket.getParent())) {
            makeOwn(own, Files.getOwner(Path.of("/proc/self")));
        }
    }

    static void makeOwn(Path folder, UserPrincipal owner) throws IOException {
        try {
            Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(ONLY_OWNER));
            return;
        } catch (FileAlreadyExistsException e) {
            // It exists already, made by this user or another one.
        }
        PosixFileAttributes found = Files.readAttributes(folder, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        Set<PosixFilePermission> others = EnumSet.copyOf(found.permissions());
        others.removeAll(ONLY_OWNER);
        if (!found.isDirectory() || !found.owner().equals(owner) || !others.isEmpty()) {
            throw new IOException("control socket: " + folder + " must be a folder of user " + owner.getName()
                    + " with mode 0700, but it belongs to user " + found.owner().getName() + " with permissions "
                    + PosixFilePermissions.toString(found.permissions())
                    + "; name another path with --control, or remove the folder");
        }
    }
}
