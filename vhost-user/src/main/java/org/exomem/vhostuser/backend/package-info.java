/** The back-end side of a vhost-user connection: endpoints, sessions, the device interface, log and in-flight memory. */
@NullMarked
package org.exomem.vhostuser.backend;

import org.jspecify.annotations.NullMarked;
