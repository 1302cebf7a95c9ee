/** The checks of programs, tried on one that keeps the conventions and on others that don't. */
@NullMarked
package org.exomem.conform.checks.program;

import org.jspecify.annotations.NullMarked;
