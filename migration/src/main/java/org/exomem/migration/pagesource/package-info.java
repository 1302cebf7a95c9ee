/** Where the engine learns from what was written and what is free, each through one interface. */
@NullMarked
package org.exomem.migration.pagesource;

import org.jspecify.annotations.NullMarked;
