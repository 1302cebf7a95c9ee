/** Back-ends that are broken in one way each, so that the checks can be seen to fail. */
@NullMarked
package org.exomem.conform.broken;

import org.jspecify.annotations.NullMarked;
