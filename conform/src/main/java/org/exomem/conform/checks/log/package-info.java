/** The log of written pages. */
@NullMarked
package org.exomem.conform.checks.log;

import org.jspecify.annotations.NullMarked;
