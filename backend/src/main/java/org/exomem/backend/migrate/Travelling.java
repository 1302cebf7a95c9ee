package org.exomem.backend.migrate;

import org.exomem.migration.image.AddressMap;
import org.exomem.migration.precopy.PagesOnTheWay;

/**
 * The pages of a VM that leaves, while they travel; to be looked at from any thread.
 *
 * @param addresses where the guest has them
 */
public record Travelling(AddressMap addresses, PagesOnTheWay pages) {}
