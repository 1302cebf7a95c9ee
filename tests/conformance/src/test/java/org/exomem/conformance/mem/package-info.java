@NullMarked
package org.exomem.conformance.mem;

import org.jspecify.annotations.NullMarked;
