/** The end of a migration stream to which the guest goes. */
@NullMarked
package org.exomem.migration.stream.destination;

import org.jspecify.annotations.NullMarked;
