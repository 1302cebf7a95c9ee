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
 * A folder for the state that a VMM writes or reads as a file. Only its owner has access, because the state has the guest's
 * secrets. The owner is the user of the VMM, if exomem may change the owner.
 */
public final class StateFolder {
    /** The name of the state of a VMM's own devices, in the folder and in the stream. */
    public static final String VMM = "vmm";

    private static final Logger LOG = LoggerFactory.getLogger(StateFolder.class);
    private static final String OWNER = "unix:uid";
    /** Followed by exomem's process id, which shows whether a folder is still in use. */
    private static final String PREFIX = "exomem-migration-";

    private StateFolder() {}

    /**
     * Makes a folder for a VMM.
     *
     * @throws IOException if it can't be made, or given to the VMM's user
     */
    public static Path makeFor(QmpVmm vmm) throws IOException {
        Path folder = Files.createTempDirectory(PREFIX + ProcessHandle.current().pid() + "-");
        give(folder, vmm);
        return folder;
    }

    /**
     * Makes the VMM's user the owner of a file. Does nothing if only root may do that.
     *
     * @throws IOException if the present owner is unknown
     */
    public static void give(Path file, QmpVmm vmm) throws IOException {
        OptionalInt user = vmm.user();
        if (user.isPresent() && !Files.getAttribute(file, OWNER).equals(user.getAsInt())) {
            try {
                Files.setAttribute(file, OWNER, user.getAsInt());
            } catch (FileSystemException e) {
                // Only root may change an owner. If the VMM can't use the file, it reports that.
                LOG.debug("{}", e.getMessage());
            }
        }
    }

    /** Removes the folder and its files. A failure is ignored. */
    public static void remove(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(folder);
        } catch (IOException e) {
            // The host removes old files from the folder for temporary files.
        }
    }
}
