@NullMarked
package org.exomem.conformance.embedded;

import org.jspecify.annotations.NullMarked;
