/** A driver of both kinds of rings, and tests of a queue's guarantees to a device against it. */
@NullMarked
package org.exomem.vhostuser.virtqueue;

import org.jspecify.annotations.NullMarked;
