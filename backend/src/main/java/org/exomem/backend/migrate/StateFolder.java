package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.exomem.backend.vmm.QmpVmm;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A folder for the state that a VMM writes or reads as a file; for its owner only, as a guest's secrets are in it. Its owner is the
 * user that the VMM runs as, where exomem may give it away.
 */
public final class StateFolder {
    /** What the state of a VMM's own devices is called, there and in the stream. */
    public static final String VMM = "vmm";

    private static final Logger LOG = LoggerFactory.getLogger(StateFolder.class);
    private static final String OWNER = "unix:uid";
    /** The number of the process follows: who finds a folder knows whether that still runs. */
    private static final String PREFIX = "exomem-migration-";

    private StateFolder() {}

    /** Makes one, for a VMM. */
    public static Path makeFor(QmpVmm vmm) throws IOException {
        Path folder = Files.createTempDirectory(PREFIX + ProcessHandle.current().pid() + "-");
        give(folder, vmm);
        return folder;
    }

    /** Lets a VMM of another user have what is in the folder. */
    public static void give(Path file, QmpVmm vmm) throws IOException {
        OptionalInt user = vmm.user();
        if (user.isPresent() && !Files.getAttribute(file, OWNER).equals(user.getAsInt())) {
            try {
                Files.setAttribute(file, OWNER, user.getAsInt());
            } catch (FileSystemException e) {
                // Only root may. Where the VMM needs it, it says so.
                LOG.debug("{}", e.getMessage());
            }
        }
    }

    /** Removes it with what is in it. */
    public static void remove(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            // In the folder for temporary files; the host removes it in time.
        }
    }
}
