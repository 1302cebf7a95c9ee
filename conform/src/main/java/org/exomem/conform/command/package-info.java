/** The command {@code exomem conform}, and the program that has nothing else. */
@NullMarked
package org.exomem.conform.command;

import org.jspecify.annotations.NullMarked;
