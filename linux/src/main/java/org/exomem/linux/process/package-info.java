/** Other processes: what they have mapped, their descriptors, and system calls that are made in them. */
@NullMarked
package org.exomem.linux.process;

import org.jspecify.annotations.NullMarked;
