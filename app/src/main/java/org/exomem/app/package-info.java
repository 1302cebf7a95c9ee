/** The {@code exomem} command: the back-end's commands and the demo. */
@NullMarked
package org.exomem.app;

import org.jspecify.annotations.NullMarked;
