/** Coverage-guided fuzzing: a harness that checks properties, for every reader of untrusted input. */
@NullMarked
package org.exomem.fuzz;

import org.jspecify.annotations.NullMarked;
