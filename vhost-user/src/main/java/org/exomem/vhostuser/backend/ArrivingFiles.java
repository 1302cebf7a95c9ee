package org.exomem.vhostuser.backend;

import java.util.HashMap;
import java.util.Map;
import org.exomem.linux.SharedFile;

/**
 * The files of which regions are watched, by device and inode. One of which no region is watched any more is forgotten: nothing
 * holds it open, so another file may get its inode, and a front-end that shares one file after the other would fill the heap. Belongs to
 * the event loop of the VM.
 */
final class ArrivingFiles {
    private final Map<String, ArrivingFile> files = new HashMap<>();

    /** What is known of a file, of which one region more is watched. */
    ArrivingFile use(SharedFile file) {
        ArrivingFile known = files.computeIfAbsent(file.identity(), identity -> new ArrivingFile());
        known.regions++;
        return known;
    }

    /** One region less of it is watched. */
    void leave(ArrivingFile file) {
        if (--file.regions == 0) {
            files.values().remove(file);
        }
    }
}
