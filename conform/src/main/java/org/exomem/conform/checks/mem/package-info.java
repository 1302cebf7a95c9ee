/** The memory device (VIRTIO 5.15). */
@NullMarked
package org.exomem.conform.checks.mem;

import org.jspecify.annotations.NullMarked;
