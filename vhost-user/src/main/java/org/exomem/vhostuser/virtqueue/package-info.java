/** Split and packed virtqueues from the device's side: descriptor chains, used entries, notification, in-flight tracking. */
@NullMarked
package org.exomem.vhostuser.virtqueue;

import org.jspecify.annotations.NullMarked;
