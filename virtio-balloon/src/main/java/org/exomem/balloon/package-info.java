/** The traditional memory balloon (VIRTIO, "Traditional Memory Balloon Device"): one class for each queue and layout. */
@NullMarked
package org.exomem.balloon;

import org.jspecify.annotations.NullMarked;
