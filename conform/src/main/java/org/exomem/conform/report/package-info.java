/** The results of a run, for people, for programs and for CI services. */
@NullMarked
package org.exomem.conform.report;

import org.jspecify.annotations.NullMarked;
