/** What a strict device knows about its front-end and driver. */
@NullMarked
package org.exomem.conform.strict.scene;

import org.jspecify.annotations.NullMarked;
