package org.exomem.backend.template;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A clone that runs.
 *
 * @param name of it, and of its folder
 * @param qmp the socket on which its VMM listens for QMP
 * @param pid of its VMM
 * @param time from the beginning until its guest ran
 * @param notes what it lacks that the template's VM had, and why; for people
 */
public record RunningClone(String name, Path qmp, int pid, Duration time, List<String> notes) {
    public RunningClone {
        notes = List.copyOf(notes);
    }
}
