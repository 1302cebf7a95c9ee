/** HTTP, as far as metrics, health and the page need it: one server for small requests, and who may ask it. */
@NullMarked
package org.exomem.backend.http;

import org.jspecify.annotations.NullMarked;
