/** What a migration stream consists of: preambles, chunks, digests, and the features and options of its two ends; {@code spec/migration-stream.md}. */
@NullMarked
package org.exomem.migration.stream.format;

import org.jspecify.annotations.NullMarked;
