package org.exomem.vmm;

import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A small file system in memory. It needs root; without, the test is skipped.
 *
 * @param path where it is mounted
 */
record MountedTmpfs(Path path) implements AutoCloseable {
    static MountedTmpfs mount(Path path, long bytes) throws IOException {
        assumeThat(System.getProperty("user.name")).as("mounting takes root").isEqualTo("root");
        run("mount", "-t", "tmpfs", "-o", "size=" + bytes, "exomem-test", path.toString());
        return new MountedTmpfs(path);
    }

    /** Changes its size. */
    void resize(long bytes) throws IOException {
        run("mount", "-o", "remount,size=" + bytes, path.toString());
    }

    @Override
    public void close() throws IOException {
        run("umount", path.toString());
    }

    private static void run(String... words) throws IOException {
        Process process = new ProcessBuilder(words).inheritIO().start();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS) || process.exitValue() != 0) {
                throw new IOException(String.join(" ", words) + " failed");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        } finally {
            process.destroyForcibly();
        }
    }
}
