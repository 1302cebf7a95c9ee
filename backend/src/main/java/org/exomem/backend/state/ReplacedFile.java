package org.exomem.backend.state;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.exomem.linux.SmallFile;

/**
 * A small file for the next process, which only its user can change. It is replaced as a whole: whoever looks finds what was there before,
 * or what comes after. Not forced to disk.
 *
 * @param path of the file
 */
public record ReplacedFile(Path path) {
    /** Replaces what was there. */
    public void write(byte[] content) throws IOException {
        replace(path, content);
    }

    /** Finds out whether so much could be written; what is there stays. */
    public void expectRoom(byte[] content) throws IOException {
        Path beside = path.resolveSibling("." + path.getFileName() + ".room");
        replace(beside, content);
        Files.delete(beside);
    }

    private static void replace(Path file, byte[] content) throws IOException {
        try {
            SmallFile.replace(file, content);
        } catch (IOException e) {
            throw new IOException("what the next exomem has to know can't be kept in " + file + ": " + e, e);
        }
    }

    /**
     * What is in it.
     *
     * @param most bytes; a larger one is refused
     * @throws IOException if it can't be read, is no plain file, or is larger
     */
    public byte[] read(int most) throws IOException {
        if (!Files.isRegularFile(path, NOFOLLOW_LINKS)) {
            throw new IOException(path + " is no plain file");
        }
        return SmallFile.read(path, most).content();
    }

    /** Whether there is anything of that name. */
    public boolean isThere() {
        return Files.exists(path, NOFOLLOW_LINKS);
    }

    /** Of no effect if it is not there. */
    public void delete() throws IOException {
        Files.deleteIfExists(path);
    }
}
