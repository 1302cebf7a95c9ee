/** Observations, and the account of their results. */
@NullMarked
package org.exomem.conform.strict.observe;

import org.jspecify.annotations.NullMarked;
