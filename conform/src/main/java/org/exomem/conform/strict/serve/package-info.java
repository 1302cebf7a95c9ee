/** A device that serves a front-end strictly, and passes everything that happens to the observers. */
@NullMarked
package org.exomem.conform.strict.serve;

import org.jspecify.annotations.NullMarked;
