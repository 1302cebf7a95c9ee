/**
 * A vhost-user front-end and virtio drivers of our own. They encode from {@code spec/} and use nothing of the back-end
 * but its system calls, so that the same mistake in both would be noticed.
 */
@NullMarked
package org.exomem.conformance;

import org.jspecify.annotations.NullMarked;
