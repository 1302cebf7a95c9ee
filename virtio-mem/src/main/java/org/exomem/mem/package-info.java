/**
 * The virtio-mem device (VIRTIO, "Memory Device"): a region of guest memory whose blocks the driver plugs and unplugs, to
 * come as near as it can to the size that the operator asks for.
 */
@NullMarked
package org.exomem.mem;

import org.jspecify.annotations.NullMarked;
