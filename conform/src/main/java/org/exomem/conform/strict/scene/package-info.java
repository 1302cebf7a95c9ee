/** What a strict device knows of the front-end and driver that it serves. */
@NullMarked
package org.exomem.conform.strict.scene;

import org.jspecify.annotations.NullMarked;
