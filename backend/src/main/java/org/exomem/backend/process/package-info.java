/** The process that serves: its VMs and devices, which may change while it runs, and its end. */
@NullMarked
package org.exomem.backend.process;

import org.jspecify.annotations.NullMarked;
