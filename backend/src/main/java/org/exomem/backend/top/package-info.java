/** The view of {@code exomem top} on a terminal. */
@NullMarked
package org.exomem.backend.top;

import org.jspecify.annotations.NullMarked;
