/** The strict device, with correct and with faulty front-ends and drivers. */
@NullMarked
package org.exomem.conform.strict;

import org.jspecify.annotations.NullMarked;
