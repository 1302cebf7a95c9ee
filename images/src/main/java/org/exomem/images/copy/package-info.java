/** Copies of RAM files that take no more room than what is in them. */
@NullMarked
package org.exomem.images.copy;

import org.jspecify.annotations.NullMarked;
