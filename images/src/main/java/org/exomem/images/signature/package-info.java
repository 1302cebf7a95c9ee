/** Digests of RAM files by ranges, and signatures of images. */
@NullMarked
package org.exomem.images.signature;

import org.jspecify.annotations.NullMarked;
