/** A check: what it does, and which requirements it is about. */
@NullMarked
package org.exomem.conform.check;

import org.jspecify.annotations.NullMarked;
