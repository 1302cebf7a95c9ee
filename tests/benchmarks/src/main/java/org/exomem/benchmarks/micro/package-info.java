/** JMH benchmarks of the parts on the path from a kick to a used entry, in one process. */
@NullMarked
package org.exomem.benchmarks.micro;

import org.jspecify.annotations.NullMarked;
