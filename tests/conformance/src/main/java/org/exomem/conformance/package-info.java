@NullMarked
package org.exomem.conformance;

import org.jspecify.annotations.NullMarked;
