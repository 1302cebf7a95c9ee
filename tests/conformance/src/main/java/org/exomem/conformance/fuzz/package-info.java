/** Fuzzing of back-ends through their socket. */
@NullMarked
package org.exomem.conformance.fuzz;

import org.jspecify.annotations.NullMarked;
