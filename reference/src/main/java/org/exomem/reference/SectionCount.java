package org.exomem.reference;

import java.util.Optional;

/**
 * The number of statements in a section of a source, and how many of them are in the catalogue.
 *
 * @param section number and title
 * @param found the number of statements that the source's method finds
 * @param catalogued the number of these with an entry
 * @param leftOut the number of these without an entry
 * @param reason why some are left out; present if any are
 * @param added the number of entries for what the source states in another form
 */
public record SectionCount(
        String section, int found, int catalogued, int leftOut, Optional<String> reason, int added) {}
