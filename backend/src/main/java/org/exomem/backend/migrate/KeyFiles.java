package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.exomem.migration.stream.wire.tls.PreSharedKey;
import org.exomem.migration.stream.wire.tls.PskSecurity;

/**
 * The files that protect a migration. At most one of them is present.
 *
 * @param tls a folder with certificates
 * @param psk a file with a pre-shared key
 */
public record KeyFiles(Optional<Path> tls, Optional<Path> psk) {
    /** No protection. */
    public static final KeyFiles NONE = new KeyFiles(Optional.empty(), Optional.empty());

    /**
     * Reads the files. Takes as long as the file system does.
     *
     * @throws IOException if a file can't be read or used
     */
    public StreamSecurity read() throws IOException {
        if (tls.isPresent()) {
            return CertificateSecurity.of(tls.get());
        }
        return psk.isPresent() ? new PskSecurity(PreSharedKey.of(psk.get())) : StreamSecurity.none();
    }
}
