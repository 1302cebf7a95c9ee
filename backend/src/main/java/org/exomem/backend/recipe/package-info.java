/** The options of a VMM with which it runs a VM that exomem serves. */
@NullMarked
package org.exomem.backend.recipe;

import org.jspecify.annotations.NullMarked;
