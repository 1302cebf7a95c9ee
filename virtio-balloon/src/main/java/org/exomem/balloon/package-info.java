@NullMarked
package org.exomem.balloon;

import org.jspecify.annotations.NullMarked;
