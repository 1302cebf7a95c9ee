package org.exomem.backend.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.List;
import org.exomem.linux.Errno;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.linux.StaleSocket;

/** The socket paths of a VMM's options, which must be free before it starts (IMG-RESTORE-1). */
final class FreePlaces {
    private FreePlaces() {}

    /**
     * Removes sockets on which no process listens. Regular files stay, because a VMM overwrites them.
     *
     * @param vm the VM's name
     * @throws IOException if a process listens on one, or it is no socket, or can't be removed; the message names it
     */
    static void expect(List<Path> places, String vm) throws IOException {
        for (Path place : places) {
            if (Files.exists(place, LinkOption.NOFOLLOW_LINKS) && !Files.isRegularFile(place)) {
                expect(place, vm);
            }
        }
    }

    private static void expect(Path place, String vm) throws IOException {
        if (!FileStatus.of(place).isSocket()) {
            throw new IOException(place + " is not a socket, and the VMM of VM \"" + vm
                    + "\" would listen there: move it away, or let this VMM listen elsewhere with --replace");
        }
        try {
            StaleSocket.remove(place);
        } catch (LinuxException e) {
            if (e.errno() != Errno.EADDRINUSE) {
                throw e;
            }
            throw new IOException(
                    "a process listens on " + place + ", where the VMM of VM \"" + vm
                            + "\" would listen: does the VM still run? End it, or let this VMM listen elsewhere with"
                            + " --replace",
                    e);
        }
    }
}
