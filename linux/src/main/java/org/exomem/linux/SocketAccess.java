package org.exomem.linux;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import org.jspecify.annotations.Nullable;

/**
 * Who may connect to a socket in the file system: on Linux, the users who may write to it. The process's umask has no
 * effect.
 *
 * @param mode permission bits, 0 to 0777 octal
 * @param group the socket's group; null for the process's own
 */
public record SocketAccess(int mode, @Nullable GroupPrincipal group) {
    /** Only the user of this process (and root). */
    public static final SocketAccess OWNER_ONLY = new SocketAccess(0600, null);

    /** @throws IllegalArgumentException if the mode has other bits than 0777 */
    public SocketAccess {
        if ((mode & ~0777) != 0) {
            throw new IllegalArgumentException("mode " + Integer.toOctalString(mode) + "; must be 0 to 777");
        }
    }

    /**
     * Looks up a group by name or number. May ask a directory service: not for a thread that must not wait.
     *
     * @throws UserPrincipalNotFoundException if there is no such group
     * @throws IOException if the service does not answer
     */
    public static GroupPrincipal group(String name) throws IOException {
        return FileSystems.getDefault().getUserPrincipalLookupService().lookupPrincipalByGroupName(name);
    }
}
