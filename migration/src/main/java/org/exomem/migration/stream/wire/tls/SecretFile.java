package org.exomem.migration.stream.wire.tls;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SmallFile;

/** Reads files with keys and certificates (STR-SEC-6, STR-SEC-7). */
final class SecretFile {
    /** The largest size of such a file in bytes. */
    private static final int MOST = 1 << 16;

    private SecretFile() {}

    /**
     * Reads a certificate, which is not secret.
     *
     * @param missing the text after the file's name if there is no file
     * @throws IOException if it is missing, no regular file, or larger than 64 KiB
     */
    static byte[] open(Path file, String missing) throws IOException {
        return read(file, missing).content();
    }

    /**
     * Reads a secret.
     *
     * @param missing the text after the file's name if there is no file
     * @throws IOException as {@link #open}; also if others than its owner can read or change it
     */
    static byte[] secret(Path file, String missing) throws IOException {
        SmallFile read = read(file, missing);
        if (read.isOpenToOthers()) {
            throw new IOException("the secret in " + file + " is accessible to users other than its owner (mode "
                    + Integer.toOctalString(read.status().mode() & 07777) + "): chmod 600 " + file);
        }
        return read.content();
    }

    private static SmallFile read(Path file, String missing) throws IOException {
        try {
            return SmallFile.read(file, MOST);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ENOENT) {
                throw new IOException("there is no file " + file + missing, e);
            }
            throw new IOException("can't read " + file + ": " + e.getMessage(), e);
        }
    }
}
