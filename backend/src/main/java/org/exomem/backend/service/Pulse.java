package org.exomem.backend.service;

import java.util.List;

/**
 * How a process that serves is at a moment.
 *
 * @param vms that are served
 * @param attached how many of them have a front-end
 * @param silent the names of those whose event loop did not answer in time
 * @param control whether the control socket's loop answered, or there is none
 */
public record Pulse(int vms, int attached, List<String> silent, boolean control) {
    /**
     * True if to end the process would help nobody: one VM that hangs is held up by its own host files, and would be again; all others
     * would lose their devices.
     */
    public boolean isAlive() {
        return control && (vms < 2 || silent.size() < vms);
    }

    /** A line for people. */
    public String line() {
        StringBuilder line = new StringBuilder();
        line.append(vms == 1 ? "1 VM" : vms + " VMs")
                .append(", ")
                .append(attached)
                .append(" attached");
        if (!silent.isEmpty()) {
            line.append("; not answering: ").append(String.join(", ", silent));
        }
        if (!control) {
            line.append("; the control socket does not answer");
        }
        return line.toString();
    }
}
