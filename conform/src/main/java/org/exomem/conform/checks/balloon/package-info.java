/** The balloon (VIRTIO 5.5). */
@NullMarked
package org.exomem.conform.checks.balloon;

import org.jspecify.annotations.NullMarked;
