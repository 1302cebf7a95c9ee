package org.exomem.migration.stream.destination;

/**
 * The result of a migration at its destination.
 *
 * @param source the name or address of the source
 * @param rounds the number of rounds
 * @param pages the number of pages with content; a page that was sent twice counts twice
 * @param zeros the number of pages that were sent as zeros
 * @param free the number of pages that were sent as free
 * @param cuts how often the source had to connect again
 */
public record ReceivedMigration(String source, long rounds, long pages, long zeros, long free, int cuts) {}
