/** The conformance runner, run on back-ends that others wrote. */
@NullMarked
package org.exomem.others;

import org.jspecify.annotations.NullMarked;
