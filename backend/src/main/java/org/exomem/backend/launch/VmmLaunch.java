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
            Process process = started(words, folder, output);
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IOException("the VMM did not start within " + LIMIT_SECONDS + " s" + said(output));
            }
            if (process.exitValue() != 0) {
                throw new IOException("the VMM " + words.getFirst() + " did not start" + said(output));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the VMM starts", e);
        } finally {
            Files.deleteIfExists(output);
        }
    }

    private static Process started(List<String> words, Path folder, Path output) throws IOException {
        Path program = Path.of(words.getFirst());
        try {
            return new ProcessBuilder(words)
                    .directory(folder.toFile())
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start();
        } catch (IOException e) {
            // The JDK says it in words of its own, and gives no other sign of the reason.
            String why = !Files.isDirectory(folder)
                    ? "its working folder " + folder + " does not exist"
                    : !program.isAbsolute()
                            ? "no folder in PATH has a program of that name"
                            : !Files.exists(program)
                                    ? "there is no such file"
                                    : Files.isRegularFile(program) && Files.isExecutable(program)
                                            ? String.valueOf(e.getMessage())
                                            : "it is not a program that this user may run";
            throw new IOException(
                    "the VMM " + program + " can't be started: " + why + "; name another one with --vmm", e);
        }
    }

    private static String said(Path output) throws IOException {
        String text = new String(Files.readAllBytes(output), StandardCharsets.UTF_8).strip();
        if (text.isEmpty()) {
            return ", and printed no reason";
        }
        return ": " + text.substring(0, Math.min(text.length(), MOST_SAID));
    }
}
