/** Guest memory, as a front-end has shared it. */
@NullMarked
package org.exomem.conform.strict.memory;

import org.jspecify.annotations.NullMarked;
