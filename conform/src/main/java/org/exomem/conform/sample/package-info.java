/** Harmless requests, one for each type of device that is known, and the choice between them. */
@NullMarked
package org.exomem.conform.sample;

import org.jspecify.annotations.NullMarked;
