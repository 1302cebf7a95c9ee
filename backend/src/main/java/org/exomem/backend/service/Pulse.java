package org.exomem.backend.service;

import java.util.List;

/**
 * The state of a serving process.
 *
 * @param vms the number of VMs that are served
 * @param attached how many of them have a front-end
 * @param silent the names of those whose event loop did not answer in time
 * @param control whether the control socket's loop answered, or there is none
 */
public record Pulse(int vms, int attached, List<String> silent, boolean control) {
    /**
     * True if ending the process would not help: one VM that hangs is held up by its own host files, and would hang again,
     * and all others would lose their devices.
     */
    public boolean isAlive() {
        return control && (vms < 2 || silent.size() < vms);
    }

    /** The status in one line, for people. */
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
