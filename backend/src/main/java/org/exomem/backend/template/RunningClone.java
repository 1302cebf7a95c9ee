package org.exomem.backend.template;

import java.nio.file.Path;
import java.time.Duration;

/**
 * A clone that runs.
 *
 * @param name of it, and of its folder
 * @param qmp the socket on which its VMM listens for QMP
 * @param pid of its VMM
 * @param time from the beginning until its guest ran
 */
public record RunningClone(String name, Path qmp, int pid, Duration time) {}
