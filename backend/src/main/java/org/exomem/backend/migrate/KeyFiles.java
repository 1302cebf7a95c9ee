package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.exomem.migration.stream.wire.tls.PreSharedKey;
import org.exomem.migration.stream.wire.tls.PskSecurity;

/**
 * The files that protect a migration; at most one of the two.
 *
 * @param tls a folder with certificates
 * @param psk a file with a key
 */
public record KeyFiles(Optional<Path> tls, Optional<Path> psk) {
    /** No protection. */
    public static final KeyFiles NONE = new KeyFiles(Optional.empty(), Optional.empty());

    /** Reads them, which may take its time. */
    public StreamSecurity read() throws IOException {
        if (tls.isPresent()) {
            return CertificateSecurity.of(tls.get());
        }
        return psk.isPresent() ? new PskSecurity(PreSharedKey.of(psk.get())) : StreamSecurity.none();
    }
}
