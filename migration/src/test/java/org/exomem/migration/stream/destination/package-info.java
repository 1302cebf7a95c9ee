@NullMarked
package org.exomem.migration.stream.destination;

import org.jspecify.annotations.NullMarked;
