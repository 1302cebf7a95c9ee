/** The stream in which a guest's memory travels from one host to another; {@code spec/migration-stream.md}. */
@NullMarked
package org.exomem.migration.stream;

import org.jspecify.annotations.NullMarked;
