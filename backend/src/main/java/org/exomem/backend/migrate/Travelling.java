package org.exomem.backend.migrate;

import org.exomem.migration.image.AddressMap;
import org.exomem.migration.precopy.PagesOnTheWay;

/**
 * The pages of an outgoing VM while they are being sent. Safe for use by several threads.
 *
 * @param addresses where the pages are in the guest
 */
public record Travelling(AddressMap addresses, PagesOnTheWay pages) {}
