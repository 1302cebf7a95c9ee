package org.exomem.benchmarks;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Runs programs of the system whose output is not needed. */
final class SystemCommand {
    private SystemCommand() {}

    /**
     * Runs a program to its end.
     *
     * @throws IOException with its output, if the program is missing or fails
     */
    static void run(String... words) throws IOException {
        Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (process.waitFor() != 0) {
                throw new IOException(String.join(" ", words) + ": " + output.strip());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted in " + words[0], e);
        }
    }
}
