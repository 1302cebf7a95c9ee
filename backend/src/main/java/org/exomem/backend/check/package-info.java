/** What the host lacks for VMs' memory, and what to change. */
@NullMarked
package org.exomem.backend.check;

import org.jspecify.annotations.NullMarked;
