/** What exomem asks a VMM for over QMP: all that a migration needs, and to stop a guest (spec/vmm.md). */
@NullMarked
package org.exomem.backend.vmm;

import org.jspecify.annotations.NullMarked;
