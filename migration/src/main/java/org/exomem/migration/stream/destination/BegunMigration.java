package org.exomem.migration.stream.destination;

import java.util.UUID;
import org.exomem.migration.stream.format.MemoryDescription;

/**
 * A migration that an earlier process has begun to receive, and whose guest runs here while pages are owed to it
 * (STR-PST-9).
 *
 * @param migration its id
 * @param source its source, as in {@link ReceivedMigration#source}
 * @param memory the migrated memory
 * @param rounds the number of rounds that were received
 */
public record BegunMigration(UUID migration, String source, MemoryDescription memory, long rounds) {}
