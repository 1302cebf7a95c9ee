package org.exomem.backend.template;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A clone that runs.
 *
 * @param name of the clone, and of its folder
 * @param qmp the socket on which its VMM listens for QMP
 * @param pid of its VMM
 * @param time from the beginning until its guest ran
 * @param notes what the template's VM had and this clone lacks, with the reasons; for people
 */
public record RunningClone(String name, Path qmp, int pid, Duration time, List<String> notes) {
    public RunningClone {
        notes = List.copyOf(notes);
    }
}
