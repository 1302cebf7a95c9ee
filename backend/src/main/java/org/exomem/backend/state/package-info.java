/** What of a VM's devices outlives this process: one file for each device (spec/state.md). */
@NullMarked
package org.exomem.backend.state;

import org.jspecify.annotations.NullMarked;
