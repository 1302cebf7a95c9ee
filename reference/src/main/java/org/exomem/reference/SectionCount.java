package org.exomem.reference;

import java.util.Optional;

/**
 * How many statements a section of a source has, and how many of them are in the catalogue.
 *
 * @param section number and title
 * @param found statements that the source's method finds
 * @param catalogued those of them that have an entry
 * @param leftOut those of them that have none
 * @param reason why; present if any are left out
 * @param added entries for what the source states in another form
 */
public record SectionCount(
        String section, int found, int catalogued, int leftOut, Optional<String> reason, int added) {}
