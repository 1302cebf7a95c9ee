/** Saves a VM into an image. */
@NullMarked
package org.exomem.backend.image;

import org.jspecify.annotations.NullMarked;
