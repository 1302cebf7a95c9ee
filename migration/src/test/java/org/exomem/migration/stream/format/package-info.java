@NullMarked
package org.exomem.migration.stream.format;

import org.jspecify.annotations.NullMarked;
