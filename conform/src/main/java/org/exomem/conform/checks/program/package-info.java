/** The conventions for a back-end's program. These checks need a command that starts it. */
@NullMarked
package org.exomem.conform.checks.program;

import org.jspecify.annotations.NullMarked;
