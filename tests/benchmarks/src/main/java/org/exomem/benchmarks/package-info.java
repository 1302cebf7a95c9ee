/**
 * Figures: the device alone, its latency, its cost at rest, and a real guest, each against something measured in the same
 * run.
 */
@NullMarked
package org.exomem.benchmarks;

import org.jspecify.annotations.NullMarked;
