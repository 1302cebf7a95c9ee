package org.exomem.backend.pager;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.exomem.linux.SmallFile;

/**
 * The file of a {@link PagerRecord} in the state directory, which only its user can change. It exists while pages are owed
 * (PGR-AGAIN-3). Not forced to disk, because a VM does not survive its host either.
 */
record PagerFile(Path path) {
    /** In bytes. */
    private static final int MOST = 2 << 20;

    /**
     * Replaces the file. It is there completely, or not at all.
     *
     * @throws IOException if the file system refuses
     */
    void write(PagerRecord record) throws IOException {
        try {
            SmallFile.replace(path, (record.toJson() + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new IOException(
                    "can't store the state of the VM that the next exomem needs in " + path + ": " + e, e);
        }
    }

    /**
     * Reads the file.
     *
     * @throws IOException if it can't be used; the file stays
     */
    PagerRecord read() throws IOException {
        try {
            if (!Files.isRegularFile(path, NOFOLLOW_LINKS)) {
                throw new IOException("it is not a regular file");
            }
            return PagerRecord.of(new String(SmallFile.read(path, MOST).content(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new IOException(path + " can't be used: " + e.getMessage() + ". It is left unchanged", e);
        }
    }

    void delete() throws IOException {
        Files.deleteIfExists(path);
    }
}
