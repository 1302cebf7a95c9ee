package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.jspecify.annotations.Nullable;

/** The options that protect a migration; the same at both ends. */
final class SecurityOptions {
    private @Nullable Path tls;
    private @Nullable Path psk;
    private boolean plain;

    void describe(Usage usage) {
        usage.path(
                "--tls",
                "DIR",
                "Uses TLS with certificates: this host's folder, as \"exomem pki init\" creates it.",
                value -> tls = value);
        usage.path(
                "--psk",
                "FILE",
                "Uses TLS with a pre-shared key: a file with a line IDENTITY:HEX.",
                value -> psk = value);
        usage.flag(
                "--plain",
                "Allows migration between hosts without TLS, so that others may read the memory. By default, only Unix"
                        + " sockets and loopback may be without TLS.",
                () -> plain = true);
    }

    void addTo(ObjectNode arguments) throws UsageException {
        if (tls != null && psk != null) {
            throw new UsageException("--tls and --psk exclude each other");
        }
        if (tls != null) {
            arguments.put("tls-dir", tls.toAbsolutePath().toString());
        }
        if (psk != null) {
            arguments.put("psk-file", psk.toAbsolutePath().toString());
        }
        if (plain) {
            arguments.put("plain", true);
        }
    }

    /**
     * Converts an address for the serving process: a path in it is relative to the folder of this command, not to that of
     * the server.
     */
    static String address(String option, String text) throws UsageException {
        try {
            return MigrationAddress.parse(text) instanceof MigrationAddress.Local local
                    ? "unix:" + Path.of(local.path()).toAbsolutePath()
                    : text;
        } catch (InvalidPathException e) {
            throw new UsageException(option + ": \"" + text + "\" can't be a path: " + e.getReason());
        } catch (IllegalArgumentException e) {
            throw new UsageException(option + ": " + e.getMessage());
        }
    }
}
