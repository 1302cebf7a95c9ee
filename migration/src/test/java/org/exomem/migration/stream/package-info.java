@NullMarked
package org.exomem.migration.stream;

import org.jspecify.annotations.NullMarked;
