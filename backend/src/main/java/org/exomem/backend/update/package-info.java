/** A guest goes from one VMM to another on the same host, and its memory stays where it is. */
@NullMarked
package org.exomem.backend.update;

import org.jspecify.annotations.NullMarked;
