/** The conformance runner, run on back-ends of other projects. */
@NullMarked
package org.exomem.others;

import org.jspecify.annotations.NullMarked;
