/** The traffic of one check on the wire and the rings, decoded for people. */
@NullMarked
package org.exomem.conform.wire;

import org.jspecify.annotations.NullMarked;
