package org.exomem.backend.command;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.exomem.backend.template.Templates;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Usage;
import org.jspecify.annotations.Nullable;

/** {@code --templates}: the folder of the templates. */
final class TemplatesOption {
    private @Nullable Path path;

    void describe(Usage usage) {
        usage.path(
                "--templates",
                "FOLDER",
                "The folder of the templates (default: exomem/templates in $XDG_STATE_HOME or ~/.local/state, for root"
                        + " /var/lib/exomem/templates). Clones start fastest from a memory file system.",
                value -> path = value);
    }

    /**
     * Makes the folder: all of the user's own path, of one that was named the last part only.
     *
     * @throws IOException if it can't be made
     */
    void make() throws IOException {
        if (path == null) {
            templates().make();
        } else {
            templates().makeLast();
        }
    }

    /**
     * Looks at the folder, if it was named.
     *
     * @throws CommandFailure if it is not there
     */
    void check() {
        if (path != null && !Files.isDirectory(path)) {
            throw new CommandFailure(
                    ExitCode.FAILED, "there is no folder " + path + (Files.exists(path) ? ": it is a file" : ""));
        }
    }

    Templates templates() {
        Path named = path;
        return named == null
                ? Templates.ofUser()
                : new Templates(named.toAbsolutePath().normalize());
    }
}
