/** What is malformed, out of order or cut short: it harms nobody but its sender. */
@NullMarked
package org.exomem.conform.checks.hostile;

import org.jspecify.annotations.NullMarked;
