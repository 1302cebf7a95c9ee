/** From what the engine learns which pages were written (DirtySource) and which are free (FreePageSource). */
@NullMarked
package org.exomem.migration.pagesource;

import org.jspecify.annotations.NullMarked;
