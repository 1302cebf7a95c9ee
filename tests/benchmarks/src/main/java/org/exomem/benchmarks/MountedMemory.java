package org.exomem.benchmarks;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** A memory file system of a benchmark, mounted as root. */
record MountedMemory(Path folder) implements AutoCloseable {
    /** @param options of tmpfs, such as {@code huge=advise} */
    static MountedMemory mount(String options) throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        try {
            run("mount", "-t", "tmpfs", "-o", options, "none", folder.toString());
            return new MountedMemory(folder);
        } catch (IOException e) {
            Files.delete(folder);
            throw e;
        }
    }

    private static void run(String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            if (process.waitFor() != 0) {
                throw new IOException(String.join(" ", command) + ": " + output.strip());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted in " + command[0], e);
        }
    }

    @Override
    public void close() throws IOException {
        run("umount", folder.toString());
        Files.delete(folder);
    }
}
