/** The end of a migration stream at which the guest is. */
@NullMarked
package org.exomem.migration.stream.source;

import org.jspecify.annotations.NullMarked;
