/** A driver of both kinds of ring, and what a device may expect of a queue against it. */
@NullMarked
package org.exomem.vhostuser.virtqueue;

import org.jspecify.annotations.NullMarked;
