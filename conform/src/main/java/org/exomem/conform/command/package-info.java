/** The command {@code exomem conform}, and a program that has only this command. */
@NullMarked
package org.exomem.conform.command;

import org.jspecify.annotations.NullMarked;
