@NullMarked
package org.exomem.fuzz;

import org.jspecify.annotations.NullMarked;
