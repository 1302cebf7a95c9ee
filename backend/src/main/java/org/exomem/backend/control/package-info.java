/** The control socket: QMP, served and spoken. */
@NullMarked
package org.exomem.backend.control;

import org.jspecify.annotations.NullMarked;
