/** The runner, tried on exomem's own devices. */
@NullMarked
package org.exomem.conform;

import org.jspecify.annotations.NullMarked;
