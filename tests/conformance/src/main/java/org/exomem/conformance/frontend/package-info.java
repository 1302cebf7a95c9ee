/** The front-end side of the vhost-user wire: requests, replies, the back-end's own channel. */
@NullMarked
package org.exomem.conformance.frontend;

import org.jspecify.annotations.NullMarked;
