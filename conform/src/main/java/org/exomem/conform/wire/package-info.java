/** What went over the wire and the rings during one check, decoded for people. */
@NullMarked
package org.exomem.conform.wire;

import org.jspecify.annotations.NullMarked;
