/** A VM leaves for another host, or comes from one: its memory by exomem, all else by its VMM. */
@NullMarked
package org.exomem.backend.migrate;

import org.jspecify.annotations.NullMarked;
