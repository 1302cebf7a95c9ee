package org.exomem.backend.ui;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Set;

/** A token in a file that only this user can read. Closing this removes the file, unless another process has replaced it. */
public record TokenFile(Path path, String token) implements AutoCloseable {
    private static final int BYTES = 24;

    /** Makes a new random token. */
    public static String newToken() {
        byte[] random = new byte[BYTES];
        new SecureRandom().nextBytes(random);
        return HexFormat.of().formatHex(random);
    }

    /**
     * Makes the file, in place of an older one.
     *
     * @throws IOException if the file system refuses
     */
    public static TokenFile make(Path path, String token) throws IOException {
        Files.deleteIfExists(path);
        try (var channel = Files.newByteChannel(
                path,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            channel.write(java.nio.ByteBuffer.wrap((token + "\n").getBytes(StandardCharsets.US_ASCII)));
        }
        return new TokenFile(path, token);
    }

    @Override
    public void close() throws IOException {
        try {
            if (Files.readString(path, StandardCharsets.US_ASCII).strip().equals(token)) {
                Files.deleteIfExists(path);
            }
        } catch (NoSuchFileException e) {
            // Another process has removed it.
        }
    }
}
