/** A device that serves a front-end strictly, and has everything watched. */
@NullMarked
package org.exomem.conform.strict.serve;

import org.jspecify.annotations.NullMarked;
