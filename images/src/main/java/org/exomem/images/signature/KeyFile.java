package org.exomem.images.signature;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Base64;
import java.util.EnumSet;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SmallFile;

/** A key in a PEM file, compatible with OpenSSL. */
final class KeyFile {
    private static final int MOST = 1 << 16;
    private static final Base64.Encoder LINES = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII));

    private KeyFile() {}

    /** Writes a new file. The file of a secret key is never readable for other users. */
    static void write(Path file, String kind, byte[] key, boolean secret) throws IOException {
        String text = "-----BEGIN " + kind + "-----\n" + LINES.encodeToString(key) + "\n-----END " + kind + "-----\n";
        try (var channel = Files.newByteChannel(
                file,
                EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(
                        PosixFilePermissions.fromString(secret ? "rw-------" : "rw-r--r--")))) {
            channel.write(StandardCharsets.US_ASCII.encode(text));
        } catch (FileAlreadyExistsException e) {
            throw new ImageException(Fault.EXISTS, file + " already contains a key; it is not overwritten", e);
        }
    }

    /**
     * @throws IOException if it does not exist, is no key of that kind, or is a secret that others than its owner can read
     *     or change
     */
    static byte[] read(Path file, String kind, boolean secret) throws IOException {
        SmallFile read;
        try {
            read = SmallFile.read(file, MOST);
        } catch (LinuxException e) {
            throw new IOException(
                    e.errno() == Errno.ENOENT
                            ? "there is no file " + file + "; \"exomem template key\" makes a pair of keys"
                            : "can't read " + file + ": " + e.getMessage(),
                    e);
        }
        if (secret && read.isOpenToOthers()) {
            throw new IOException("the secret in " + file + " is accessible to users other than its owner (mode "
                    + Integer.toOctalString(read.status().mode() & 07777) + "): chmod 600 " + file);
        }
        Matcher key = Pattern.compile("-----BEGIN " + kind + "-----([A-Za-z0-9+/=\\s]+)-----END " + kind + "-----")
                .matcher(new String(read.content(), StandardCharsets.US_ASCII));
        if (!key.find()) {
            throw new IOException(file + " contains no Ed25519 " + kind.toLowerCase(Locale.ROOT));
        }
        return Base64.getMimeDecoder().decode(key.group(1));
    }
}
