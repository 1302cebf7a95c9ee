/** The part of a migration's source that a fuzzer needs. */
@NullMarked
package org.exomem.migration.stream.source;

import org.jspecify.annotations.NullMarked;
