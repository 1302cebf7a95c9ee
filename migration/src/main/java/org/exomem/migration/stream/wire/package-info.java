/** What carries a migration stream: sockets, bare or protected, addresses, limits of bandwidth and of silence. */
@NullMarked
package org.exomem.migration.stream.wire;

import org.jspecify.annotations.NullMarked;
