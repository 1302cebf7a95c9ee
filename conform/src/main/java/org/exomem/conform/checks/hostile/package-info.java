/** Malformed, out-of-order and truncated input, which must harm only its sender. */
@NullMarked
package org.exomem.conform.checks.hostile;

import org.jspecify.annotations.NullMarked;
