package org.exomem.backend.state;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.exomem.linux.SmallFile;

/**
 * A small file for the next process, which only its user can change. It is replaced as a whole: whoever looks finds what was there before,
 * or what comes after. Not forced to disk.
 *
 * @param path of the file
 */
public record ReplacedFile(Path path) {
    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    /** Replaces what was there. */
    public void write(byte[] content) throws IOException {
        write(content, beside -> Files.move(beside, path, StandardCopyOption.ATOMIC_MOVE));
    }

    /** Finds out whether so much could be written. */
    public void expectRoom(byte[] content) throws IOException {
        write(content, Files::delete);
    }

    private interface Written {
        void then(Path beside) throws IOException;
    }

    private void write(byte[] content, Written written) throws IOException {
        Path beside = path.resolveSibling("." + path.getFileName() + ".new");
        try {
            Files.deleteIfExists(beside);
            try (FileChannel channel = FileChannel.open(beside, Set.of(CREATE_NEW, WRITE), OWNER_ONLY)) {
                ByteBuffer bytes = ByteBuffer.wrap(content);
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
            }
            written.then(beside);
        } catch (IOException e) {
            try {
                Files.deleteIfExists(beside);
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw new IOException("what the next exomem has to know can't be kept in " + path + ": " + e, e);
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

    /** Of no effect if it is not there. */
    public void delete() throws IOException {
        Files.deleteIfExists(path);
    }
}
