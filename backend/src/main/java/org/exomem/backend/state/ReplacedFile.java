package org.exomem.backend.state;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.exomem.linux.SmallFile;

/**
 * A small file for the next process, which only its user can change. It is replaced as a whole: a reader finds the old
 * content or the new. Not forced to disk.
 *
 * @param path of the file
 */
public record ReplacedFile(Path path) {
    /**
     * Replaces the content.
     *
     * @throws IOException if the file system refuses
     */
    public void write(byte[] content) throws IOException {
        replace(path, content);
    }

    /**
     * Checks that there is room for a content of this size. The present content stays.
     *
     * @throws IOException if there is no room
     */
    public void expectRoom(byte[] content) throws IOException {
        Path beside = path.resolveSibling("." + path.getFileName() + ".room");
        replace(beside, content);
        Files.delete(beside);
    }

    private static void replace(Path file, byte[] content) throws IOException {
        try {
            SmallFile.replace(file, content);
        } catch (IOException e) {
            throw new IOException("can't store the state that the next exomem needs in " + file + ": " + e, e);
        }
    }

    /**
     * Reads the content.
     *
     * @param most the largest size in bytes
     * @throws IOException if it can't be read, is no plain file, or is larger
     */
    public byte[] read(int most) throws IOException {
        if (!Files.isRegularFile(path, NOFOLLOW_LINKS)) {
            throw new IOException(path + " is not a regular file");
        }
        return SmallFile.read(path, most).content();
    }

    /** Checks whether the path exists, as a file or anything else. */
    public boolean isThere() {
        return Files.exists(path, NOFOLLOW_LINKS);
    }

    /** Deletes the file, if it exists. */
    public void delete() throws IOException {
        Files.deleteIfExists(path);
    }
}
