@NullMarked
package org.exomem.migration.stream.wire.tls;

import org.jspecify.annotations.NullMarked;
