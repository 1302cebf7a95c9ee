/** HTTP, as far as metrics and health need it: short answers to GET. */
@NullMarked
package org.exomem.backend.http;

import org.jspecify.annotations.NullMarked;
