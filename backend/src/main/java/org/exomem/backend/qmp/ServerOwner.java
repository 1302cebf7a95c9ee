package org.exomem.backend.qmp;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipal;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import jdk.net.ExtendedSocketOptions;

/**
 * Checks the user of the process that serves a socket. In a folder where others may put files, such as {@code /tmp}, any
 * user may listen on a path that this user's commands connect to.
 */
final class ServerOwner {
    private ServerOwner() {}

    /**
     * Checks the other end of a connection, if other users can put sockets into the path's folder (CTL-21).
     *
     * @throws IOException if its user is neither this one nor root; the message names the user
     */
    static void check(Path socket, SocketChannel channel) throws IOException {
        Path folder = socket.toAbsolutePath().getParent();
        UserPrincipal self = Files.getOwner(Path.of("/proc/self"));
        UserPrincipal root =
                socket.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName("root");
        Set<UserPrincipal> trusted = new HashSet<>(List.of(self, root));
        if (folder != null && isShared(folder, trusted)) {
            check(channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user(), trusted);
        }
    }

    /** True if users other than these can make files in a folder. */
    static boolean isShared(Path folder, Set<UserPrincipal> trusted) throws IOException {
        PosixFileAttributes attributes = Files.readAttributes(folder, PosixFileAttributes.class);
        return !trusted.contains(attributes.owner())
                || attributes.permissions().contains(PosixFilePermission.GROUP_WRITE)
                || attributes.permissions().contains(PosixFilePermission.OTHERS_WRITE);
    }

    static void check(UserPrincipal server, Set<UserPrincipal> trusted) throws IOException {
        if (!trusted.contains(server)) {
            throw new UntrustedServerException("it is served by user " + server.getName()
                    + ", who is neither this user nor root, in a folder in which other users may create sockets");
        }
    }
}
