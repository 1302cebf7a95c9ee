/** The front-end's side of vhost-user: requests, replies, the back-end's own channel. */
@NullMarked
package org.exomem.conformance.frontend;

import org.jspecify.annotations.NullMarked;
