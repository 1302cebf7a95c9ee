/** The strict device, with front-ends and drivers that are right, and with ones that are wrong. */
@NullMarked
package org.exomem.conform.strict;

import org.jspecify.annotations.NullMarked;
