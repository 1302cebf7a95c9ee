/** What protects a migration stream: TLS 1.3 by certificates or by a pre-shared key, and the making of certificates. */
@NullMarked
package org.exomem.migration.stream.wire.tls;

import org.jspecify.annotations.NullMarked;
