/**
 * The catalogue and the chapters of {@code spec/} as a folder of HTML pages, which a browser shows from files: no server, no
 * request to any host. {@link org.exomem.reference.html.HtmlReference} is where to begin.
 */
@NullMarked
package org.exomem.reference.html;

import org.jspecify.annotations.NullMarked;
