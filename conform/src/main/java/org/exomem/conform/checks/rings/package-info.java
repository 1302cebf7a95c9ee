/** Split and packed rings, their states, and notifications. */
@NullMarked
package org.exomem.conform.checks.rings;

import org.jspecify.annotations.NullMarked;
