package org.exomem.vhostuser.backend;

import java.util.HashMap;
import java.util.Map;
import org.exomem.linux.SharedFile;

/**
 * The files with watched regions, by device and inode. A file without watched regions is dropped: nothing keeps it open, so
 * another file may get its inode, and a front-end that shares one file after the other would fill the heap. Used on the VM's
 * event loop.
 */
final class ArrivingFiles {
    private final Map<String, ArrivingFile> files = new HashMap<>();

    /** Returns what is known of a file, and counts one more watched region. */
    ArrivingFile use(SharedFile file) {
        ArrivingFile known = files.computeIfAbsent(file.identity(), identity -> new ArrivingFile());
        known.regions++;
        return known;
    }

    /** Counts one watched region less. */
    void leave(ArrivingFile file) {
        if (--file.regions == 0) {
            files.values().remove(file);
        }
    }
}
