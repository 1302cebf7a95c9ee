package org.exomem.images.copy;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A small file system. A test that can't mount one is skipped. */
final class MountedDisk implements AutoCloseable {
    private final Path folder;

    private MountedDisk(Path folder) {
        this.folder = folder;
    }

    /** A file system in memory with a size in bytes. */
    static MountedDisk tmpfs(Path folder, long size) throws IOException {
        return mounted(folder, "-t", "tmpfs", "-o", "size=" + size, "tmpfs");
    }

    /** Memory of huge pages of 2 MiB. */
    static MountedDisk hugetlbfs(Path folder) throws IOException {
        return mounted(folder, "-t", "hugetlbfs", "-o", "pagesize=2M", "hugetlbfs");
    }

    /** XFS, whose files can share storage. */
    static MountedDisk xfs(Path above) throws IOException {
        assumeTrue(run(List.of("mkfs.xfs", "-V")), "needs mkfs.xfs, of the package xfsprogs");
        Path disk = above.resolve("disk");
        assumeTrue(run(List.of("truncate", "-s", "400M", disk.toString())));
        assumeTrue(run(List.of("mkfs.xfs", "-q", disk.toString())), "no XFS can be made");
        return mounted(Files.createDirectory(above.resolve("mounted")), "-o", "loop", disk.toString());
    }

    private static MountedDisk mounted(Path folder, String... what) throws IOException {
        List<String> words = new ArrayList<>(List.of("mount"));
        words.addAll(List.of(what));
        words.add(folder.toString());
        assumeTrue(run(words), "needs to be root, to mount a file system");
        return new MountedDisk(folder);
    }

    Path folder() {
        return folder;
    }

    private static boolean run(List<String> words) throws IOException {
        try {
            Process process = new ProcessBuilder(words)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new IOException(words + " does not end");
            }
            return process.exitValue() == 0;
        } catch (InterruptedException e) {
            throw new IOException("interrupted", e);
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public void close() throws IOException {
        if (!run(List.of("umount", folder.toString()))) {
            throw new IOException("can't unmount " + folder);
        }
    }
}
