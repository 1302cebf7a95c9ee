@NullMarked
package org.exomem.benchmarks;

import org.jspecify.annotations.NullMarked;
