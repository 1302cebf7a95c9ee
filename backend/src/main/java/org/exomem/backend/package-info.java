@NullMarked
package org.exomem.backend;

import org.jspecify.annotations.NullMarked;
