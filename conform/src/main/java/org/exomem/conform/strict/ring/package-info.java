/** The device's side of rings. Every number in them is read unchecked. */
@NullMarked
package org.exomem.conform.strict.ring;

import org.jspecify.annotations.NullMarked;
