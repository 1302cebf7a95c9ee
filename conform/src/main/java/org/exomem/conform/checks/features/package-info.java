/** Negotiation of virtio and protocol features. */
@NullMarked
package org.exomem.conform.checks.features;

import org.jspecify.annotations.NullMarked;
