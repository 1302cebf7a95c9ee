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
 */
public record SaveRequest(Path folder, boolean end, HintsChoice hints, Optional<WritesChoice> writes) {}
