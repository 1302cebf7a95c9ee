package org.exomem.migration.stream.destination;

import java.util.UUID;
import org.exomem.migration.stream.format.MemoryDescription;

/**
 * A migration with which an earlier process has begun, and whose guest runs here with pages owed to it (STR-PST-9).
 *
 * @param migration its number
 * @param source who sends it, as {@link ReceivedMigration#source} has it
 * @param memory what is sent
 * @param rounds that were received
 */
public record BegunMigration(UUID migration, String source, MemoryDescription memory, long rounds) {}
