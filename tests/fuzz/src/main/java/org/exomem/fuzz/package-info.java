/** Coverage-guided fuzzing: for everything that reads what others have written, a harness that checks properties. */
@NullMarked
package org.exomem.fuzz;

import org.jspecify.annotations.NullMarked;
