package org.exomem.backend.command;

import java.nio.file.Path;
import org.exomem.backend.template.Templates;
import org.exomem.cli.options.Usage;
import org.jspecify.annotations.Nullable;

/** {@code --templates}: the folder of the templates. */
final class TemplatesOption {
    private @Nullable Path path;

    void describe(Usage usage) {
        usage.path(
                "--templates",
                "FOLDER",
                "Where templates are (default: exomem/templates in $XDG_STATE_HOME or ~/.local/state, of root"
                        + " /var/lib/exomem/templates). In a memory file system clones start fastest.",
                value -> path = value);
    }

    Templates templates() {
        Path named = path;
        return named == null
                ? Templates.ofUser()
                : new Templates(named.toAbsolutePath().normalize());
    }
}
