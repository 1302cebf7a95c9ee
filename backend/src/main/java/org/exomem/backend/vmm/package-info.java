/** What exomem asks of a VMM over its QMP socket: what a migration needs, and that a guest is stopped. */
@NullMarked
package org.exomem.backend.vmm;

import org.jspecify.annotations.NullMarked;
