package org.exomem.backend.template;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * How clones are to be started.
 *
 * @param folder in which each clone has a folder for its sockets
 * @param program of the VMM, if another than the template's was
 * @param replacements of texts in the VMM's options; <code>{n}</code> in the new text is the clone's number, <code>{name}</code> its name
 * @param serving of the clones' devices; without it they have none of exomem
 */
public record CloneOptions(
        Path folder, Optional<Path> program, Map<String, String> replacements, Optional<CloneServing> serving) {
    public CloneOptions {
        replacements = Map.copyOf(replacements);
    }
}
