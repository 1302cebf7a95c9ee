/** A guest's memory as the files that it is in, and where the guest sees them. */
@NullMarked
package org.exomem.migration.image;

import org.jspecify.annotations.NullMarked;
