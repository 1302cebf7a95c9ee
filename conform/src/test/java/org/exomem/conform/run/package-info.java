@NullMarked
package org.exomem.conform.run;

import org.jspecify.annotations.NullMarked;
