package org.exomem.migration.stream.destination;

/**
 * What came.
 *
 * @param source who sent it
 * @param rounds rounds of pages
 * @param pages pages with content; one that was sent twice counts twice
 * @param zeros pages that were sent as zeros
 * @param free pages that were sent as free
 * @param cuts how often the source had to come back
 */
public record ReceivedMigration(String source, long rounds, long pages, long zeros, long free, int cuts) {}
