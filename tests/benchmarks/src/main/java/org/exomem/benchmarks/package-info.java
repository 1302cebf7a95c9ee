/**
 * Figures: the device alone, its latency, its cost when idle, and a real guest, each compared with something measured
 * in the same run.
 */
@NullMarked
package org.exomem.benchmarks;

import org.jspecify.annotations.NullMarked;
