/**
 * The catalogue and the chapters of {@code spec/} as a folder of HTML pages. A browser shows them from files, without a
 * server or a request to any host. The entry point is {@link org.exomem.reference.html.HtmlReference}.
 */
@NullMarked
package org.exomem.reference.html;

import org.jspecify.annotations.NullMarked;
