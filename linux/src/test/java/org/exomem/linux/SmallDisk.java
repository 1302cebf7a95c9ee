package org.exomem.linux;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A file system in memory that is soon full. Only root can create one. Without root, the test that needs one is
 * skipped.
 */
public final class SmallDisk implements AutoCloseable {
    private final Path folder;

    private SmallDisk(Path folder) {
        this.folder = folder;
    }

    /** @param folder empty; hidden while the disk is mounted */
    public static SmallDisk at(Path folder, long bytes) throws IOException {
        if (run("mount", "-t", "tmpfs", "-o", "size=" + bytes, "exomem-test", folder.toString()) != 0) {
            abort("only root may mount a file system");
        }
        return new SmallDisk(folder);
    }

    private static int run(String... words) throws IOException {
        Process process = new ProcessBuilder(List.of(words))
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            if (process.waitFor(1, TimeUnit.MINUTES)) {
                return process.exitValue();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        process.destroyForcibly();
        throw new IOException(words[0] + " does not end");
    }

    /** Makes room, or removes free space. */
    public void resize(long bytes) throws IOException {
        if (run("mount", "-o", "remount,size=" + bytes, folder.toString()) != 0) {
            throw new IOException("can't resize the file system at " + folder);
        }
    }

    /** Open files remain usable. The folder is as before. */
    @Override
    public void close() throws IOException {
        run("umount", "--lazy", folder.toString());
    }
}
