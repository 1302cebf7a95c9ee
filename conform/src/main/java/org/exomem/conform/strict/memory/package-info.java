/** The guest memory that a front-end has shared. */
@NullMarked
package org.exomem.conform.strict.memory;

import org.jspecify.annotations.NullMarked;
