/** Command lines: what a command takes is declared once, for parsing, for its help and for completion in a shell. */
@NullMarked
package org.exomem.backend.options;

import org.jspecify.annotations.NullMarked;
