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
 * Whose process serves on a socket. In a folder in which others may put files, such as {@code /tmp}, anybody may listen under a name
 * that this user's commands look for.
 */
final class ServerOwner {
    private ServerOwner() {}

    /**
     * Checks the other end of a connection, if others can put sockets into the folder of the path (CTL-21).
     *
     * @throws IOException if it is neither this user nor root; says who it is
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

    /** True if others than these users can make files in a folder. */
    static boolean isShared(Path folder, Set<UserPrincipal> trusted) throws IOException {
        PosixFileAttributes attributes = Files.readAttributes(folder, PosixFileAttributes.class);
        return !trusted.contains(attributes.owner())
                || attributes.permissions().contains(PosixFilePermission.GROUP_WRITE)
                || attributes.permissions().contains(PosixFilePermission.OTHERS_WRITE);
    }

    static void check(UserPrincipal server, Set<UserPrincipal> trusted) throws IOException {
        if (!trusted.contains(server)) {
            throw new UntrustedServerException("it is served by user " + server.getName()
                    + ", who is neither this user nor root, in a folder where others may put sockets");
        }
    }
}
