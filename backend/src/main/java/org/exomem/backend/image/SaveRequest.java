package org.exomem.backend.image;

import java.nio.file.Path;
import java.util.Optional;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.config.WritesChoice;

/**
 * What is wanted of a VM that is saved.
 *
 * @param folder where its image is to be
 * @param end whether its VMM is ended with that; otherwise the guest runs on
 * @param hints how the guest is asked which pages it does not need; of no meaning where memory is not copied
 * @param writes how to learn which pages the guest writes, if not as is configured
 * @param template for one that clones are to start from: with digests of its RAM, signed if there is a key, and read-only
 */
public record SaveRequest(
        Path folder, boolean end, HintsChoice hints, Optional<WritesChoice> writes, Optional<Template> template) {
    /**
     * What a template has beyond an image.
     *
     * @param key the file of the key that it is signed with, if it is to be
     */
    public record Template(Optional<Path> key) {}
}
