package org.exomem.backend.template;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * The options for starting clones.
 *
 * @param folder in which each clone has a folder for its sockets
 * @param program of the VMM, if it is not the template's
 * @param replacements of texts in the VMM's options; in the new text <code>{n}</code> is the clone's number, and
 *     <code>{name}</code> its name
 * @param serving serves the clones' devices; if empty, they have no devices of exomem
 */
public record CloneOptions(
        Path folder, Optional<Path> program, Map<String, String> replacements, Optional<CloneServing> serving) {
    public CloneOptions {
        replacements = Map.copyOf(replacements);
    }
}
