package org.exomem.migration.stream.wire.tls;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A secret that both ends have.
 *
 * @param identity its name, which is sent unencrypted
 * @param secret at least 16 bytes from a good source of randomness; not a password
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record PreSharedKey(String identity, byte[] secret) {
    private static final int LEAST = 16;
    private static final Pattern LINE = Pattern.compile("([^:#\\s][^:]{0,254}):((?:[0-9a-fA-F]{2})+)");

    /**
     * @throws IllegalArgumentException if the secret is too short
     */
    public PreSharedKey {
        secret = secret.clone();
        if (secret.length < LEAST) {
            throw new IllegalArgumentException(
                    "the key has " + secret.length + " bytes; it must have at least " + LEAST + " random bytes");
        }
    }

    /**
     * Reads a file that GnuTLS's {@code psktool} makes and QEMU reads: the first line of the form {@code IDENTITY:HEX}.
     *
     * @throws IOException if there is none; if the file is no regular file, larger than 64 KiB, or others than its owner can
     *     read or change it (STR-SEC-6, STR-SEC-7)
     */
    public static PreSharedKey of(Path file) throws IOException {
        String text = new String(SecretFile.secret(file, " with a pre-shared key"), StandardCharsets.UTF_8);
        for (String line : text.lines().toList()) {
            Matcher key = LINE.matcher(line.strip());
            if (key.matches()) {
                try {
                    return new PreSharedKey(key.group(1), HexFormat.of().parseHex(key.group(2)));
                } catch (IllegalArgumentException e) {
                    throw new IOException(file + ": " + e.getMessage(), e);
                }
            }
        }
        throw new IOException(
                file + " contains no pre-shared key: it requires a line IDENTITY:HEX, as psktool writes it");
    }

    @Override
    public String toString() {
        return "key of " + identity;
    }
}
