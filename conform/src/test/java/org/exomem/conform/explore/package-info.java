@NullMarked
package org.exomem.conform.explore;

import org.jspecify.annotations.NullMarked;
