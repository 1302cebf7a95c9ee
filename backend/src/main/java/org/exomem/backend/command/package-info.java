/** The words of the exomem command. */
@NullMarked
package org.exomem.backend.command;

import org.jspecify.annotations.NullMarked;
