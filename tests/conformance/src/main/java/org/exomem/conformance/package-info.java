/**
 * A vhost-user front-end and virtio drivers for tests. They encode from {@code spec/} and use no code of the back-end
 * except its system calls, so that the same mistake in both is noticed.
 */
@NullMarked
package org.exomem.conformance;

import org.jspecify.annotations.NullMarked;
