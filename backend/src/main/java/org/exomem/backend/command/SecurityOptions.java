package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.exomem.backend.config.ConfigException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How a migration is protected; the same for both ends. */
final class SecurityOptions {
    @Option(
            names = "--tls",
            paramLabel = "DIR",
            description = "TLS by certificates: this host's folder, as \"exomem pki\" makes it.")
    private @Nullable Path tls;

    @Option(
            names = "--psk",
            paramLabel = "FILE",
            description = "TLS by a key that both ends have: a file with a line IDENTITY:HEX.")
    private @Nullable Path psk;

    @Option(
            names = "--plain",
            description = "Lets memory travel to other hosts unprotected. Without it, that is done on Unix sockets and "
                    + "loopback only.")
    private boolean plain;

    void addTo(ObjectNode arguments) throws ConfigException {
        if (tls != null && psk != null) {
            throw new ConfigException("--tls and --psk exclude each other");
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

    /** A path in an address is relative to where the command is run, not to where exomem serves. */
    static String address(String text) throws ConfigException {
        if (!text.startsWith("unix:") || text.length() == "unix:".length()) {
            return text;
        }
        try {
            return "unix:" + Path.of(text.substring("unix:".length())).toAbsolutePath();
        } catch (InvalidPathException e) {
            throw new ConfigException("the address " + text + " can't be a path: " + e.getReason());
        }
    }
}
