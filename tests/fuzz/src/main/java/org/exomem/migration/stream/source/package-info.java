/** What a fuzzer needs of a migration's source. */
@NullMarked
package org.exomem.migration.stream.source;

import org.jspecify.annotations.NullMarked;
