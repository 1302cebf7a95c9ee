package org.exomem.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A memory file system of a benchmark, mounted as root. */
record MountedMemory(Path folder) implements AutoCloseable {
    /** @param options of tmpfs, such as {@code huge=advise} */
    static MountedMemory mount(String options) throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        try {
            SystemCommand.run("mount", "-t", "tmpfs", "-o", options, "none", folder.toString());
            return new MountedMemory(folder);
        } catch (IOException e) {
            Files.delete(folder);
            throw e;
        }
    }

    @Override
    public void close() throws IOException {
        SystemCommand.run("umount", folder.toString());
        Files.delete(folder);
    }
}
