/** Back-ends with one fault each, which show that the checks can fail. */
@NullMarked
package org.exomem.conform.broken;

import org.jspecify.annotations.NullMarked;
