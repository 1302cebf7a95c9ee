/** The unchecked messages of a front-end. */
@NullMarked
package org.exomem.conform.strict.front;

import org.jspecify.annotations.NullMarked;
