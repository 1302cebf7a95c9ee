/** Rings, from the device's side: every number in them is read as it stands, right or wrong. */
@NullMarked
package org.exomem.conform.strict.ring;

import org.jspecify.annotations.NullMarked;
