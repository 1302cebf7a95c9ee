/** Runs checks against a back-end, each in a session of its own, and keeps what came out. */
@NullMarked
package org.exomem.conform.run;

import org.jspecify.annotations.NullMarked;
