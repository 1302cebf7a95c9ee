/** The start of a VMM that waits for a guest, with the command line of another one. */
@NullMarked
package org.exomem.backend.launch;

import org.jspecify.annotations.NullMarked;
