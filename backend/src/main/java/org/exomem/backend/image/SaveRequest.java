package org.exomem.backend.image;

import java.nio.file.Path;
import java.util.Optional;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.config.WritesChoice;

/**
 * The options for saving a VM.
 *
 * @param folder for its image
 * @param end whether its VMM is ended after that; otherwise the guest runs on
 * @param hints how the guest is asked which pages it does not need; ignored if memory is not copied
 * @param writes how to find the pages that the guest writes, if not in the configured way
 * @param template present for a template that clones start from: with digests of its RAM, signed if there is a key, and
 *     read-only
 */
public record SaveRequest(
        Path folder, boolean end, HintsChoice hints, Optional<WritesChoice> writes, Optional<Template> template) {
    /**
     * The additional options of a template.
     *
     * @param key the file of the key that signs it, if it is signed
     */
    public record Template(Optional<Path> key) {}
}
