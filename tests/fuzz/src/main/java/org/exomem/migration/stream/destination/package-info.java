/** Access to the decoders of the migration's destination, which only their own package can reach. */
@NullMarked
package org.exomem.migration.stream.destination;

import org.jspecify.annotations.NullMarked;
