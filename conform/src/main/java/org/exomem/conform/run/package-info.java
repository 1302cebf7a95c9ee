/** Runs checks against a back-end, each in a session of its own, and keeps the results. */
@NullMarked
package org.exomem.conform.run;

import org.jspecify.annotations.NullMarked;
