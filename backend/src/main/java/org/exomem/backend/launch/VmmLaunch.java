package org.exomem.backend.launch;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Starts a VMM that continues when this process ends. */
public final class VmmLaunch {
    private static final long LIMIT_SECONDS = 60;
    /** The most characters of its output in an error message. */
    private static final int MOST_SAID = 2000;

    private VmmLaunch() {}

    /**
     * Starts a VMM as the user of this process. Returns when its QMP socket listens.
     *
     * @param folder in which it starts; relative paths in its options refer to it
     * @throws IOException if it does not start; the message has its output
     */
    public static void start(VmmCommandLine line, Path folder) throws IOException {
        List<String> words = new ArrayList<>(line.words());
        // The process that is started here ends when the VMM is ready. The VMM then does not end with this process.
        words.add("-daemonize");
        Path output = Files.createTempFile("exomem-vmm", ".log");
        try {
            Process process = new ProcessBuilder(words)
                    .directory(folder.toFile())
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IOException("the VMM did not start in " + LIMIT_SECONDS + " s" + said(output));
            }
            if (process.exitValue() != 0) {
                throw new IOException("the VMM did not start" + said(output));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the VMM starts", e);
        } finally {
            Files.deleteIfExists(output);
        }
    }

    private static String said(Path output) throws IOException {
        String text = new String(Files.readAllBytes(output), StandardCharsets.UTF_8).strip();
        if (text.isEmpty()) {
            return ", and does not say why";
        }
        return ": " + text.substring(0, Math.min(text.length(), MOST_SAID));
    }
}
