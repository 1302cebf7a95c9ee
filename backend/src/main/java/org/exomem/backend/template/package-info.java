/** Templates, and the clones that start from them. */
@NullMarked
package org.exomem.backend.template;

import org.jspecify.annotations.NullMarked;
