package org.exomem.backend.command;

import java.util.LinkedHashMap;
import java.util.Map;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;

/** {@code --replace}: replaces texts in a VMM's options. */
final class ReplaceOption {
    private final Map<String, String> texts = new LinkedHashMap<>();

    /** @param more a text that follows the description */
    void describe(Usage usage, String more) {
        usage.repeatableOption(
                "--replace",
                "OLD=NEW",
                "Replaces a text in the VMM's options, such as a disk's path; may be repeated." + more,
                Completion.NOTHING,
                this::add);
    }

    private void add(String replacement) throws UsageException {
        int equals = replacement.indexOf('=');
        if (equals <= 0) {
            throw new UsageException("--replace \"" + replacement + "\" is not OLD=NEW");
        }
        texts.put(replacement.substring(0, equals), replacement.substring(equals + 1));
    }

    /** The new texts, by the old ones. */
    Map<String, String> texts() {
        return texts;
    }
}
