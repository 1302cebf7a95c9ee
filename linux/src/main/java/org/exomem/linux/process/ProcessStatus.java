package org.exomem.linux.process;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The content of {@code /proc/PID/status} for a process, or for one of its threads.
 *
 * @param name of its program, at most 15 bytes
 * @param state R, S or D while it runs or waits, T or t while it is stopped, Z or X when it has ended
 * @param user the effective user id
 * @param tracer the process that traces it, 0 if none does
 * @param filtered whether its system calls are restricted ({@code seccomp})
 */
public record ProcessStatus(String name, char state, int user, int tracer, boolean filtered) {
    private static final String FILTER = "2";
    private static final String NONE = "0";
    /** The real, effective, saved and file system user. */
    private static final String NO_USERS = "-1 -1 -1 -1";

    private static final int EFFECTIVE = 1;

    /** @throws IOException if there is no such process */
    public static ProcessStatus of(int pid) throws IOException {
        String text = Files.readString(Path.of("/proc", Integer.toString(pid), "status"), StandardCharsets.ISO_8859_1);
        // A name may have any character but a line end.
        Map<String, String> lines = Arrays.stream(text.split("\n"))
                .map(line -> line.split(":\\s*", 2))
                .filter(line -> line.length == 2)
                .collect(Collectors.toMap(line -> line[0], line -> line[1], (first, second) -> first));
        return new ProcessStatus(
                lines.getOrDefault("Name", "?"),
                lines.getOrDefault("State", "?").charAt(0),
                Integer.parseInt(lines.getOrDefault("Uid", NO_USERS).split("\\s+")[EFFECTIVE]),
                Integer.parseInt(lines.getOrDefault("TracerPid", NONE).strip()),
                lines.getOrDefault("Seccomp", NONE).strip().equals(FILTER));
    }

    /** True if it was stopped by a signal, for example from a terminal. */
    public boolean isStopped() {
        return state == 'T';
    }
}
