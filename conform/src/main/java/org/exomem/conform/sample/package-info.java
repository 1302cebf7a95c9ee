/** Harmless requests, one for each known device type, and the choice between them. */
@NullMarked
package org.exomem.conform.sample;

import org.jspecify.annotations.NullMarked;
