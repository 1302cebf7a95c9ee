package org.exomem.backend.pager;

import static java.nio.file.LinkOption.NOFOLLOW_LINKS;
import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.exomem.linux.SmallFile;

/**
 * The file of a {@link PagerRecord} in the state directory, which only its user can change. It is there as long as pages are owed
 * (PGR-AGAIN-3). Not forced to disk: a VM does not outlive its host either.
 */
record PagerFile(Path path) {
    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    /** In bytes. */
    private static final int MOST = 2 << 20;

    /** Replaces what was there. It is there completely, or not at all. */
    void write(PagerRecord record) throws IOException {
        Path beside = path.resolveSibling("." + path.getFileName() + ".new");
        try {
            Files.deleteIfExists(beside);
            try (FileChannel channel = FileChannel.open(beside, Set.of(CREATE_NEW, WRITE), OWNER_ONLY)) {
                ByteBuffer bytes = ByteBuffer.wrap((record.toJson() + "\n").getBytes(StandardCharsets.UTF_8));
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
            }
            Files.move(beside, path, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            try {
                Files.deleteIfExists(beside);
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw new IOException("what the next exomem has to know of the VM can't be kept in " + path + ": " + e, e);
        }
    }

    /** @throws IOException if it can't be used; it is left as it is */
    PagerRecord read() throws IOException {
        try {
            if (!Files.isRegularFile(path, NOFOLLOW_LINKS)) {
                throw new IOException("it is no plain file");
            }
            return PagerRecord.of(new String(SmallFile.read(path, MOST).content(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new IOException(path + " can't be used: " + e.getMessage() + ". It is left as it is", e);
        }
    }

    void delete() throws IOException {
        Files.deleteIfExists(path);
    }
}
