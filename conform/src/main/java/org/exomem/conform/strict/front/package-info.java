/** What comes over the wire from a front-end, as it came. */
@NullMarked
package org.exomem.conform.strict.front;

import org.jspecify.annotations.NullMarked;
