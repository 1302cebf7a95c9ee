/** All checks, in the order in which they run. */
@NullMarked
package org.exomem.conform.suite;

import org.jspecify.annotations.NullMarked;
