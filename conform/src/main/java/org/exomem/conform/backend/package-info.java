/** The ways to reach a back-end: it listens, it connects, or it is started by a command. */
@NullMarked
package org.exomem.conform.backend;

import org.jspecify.annotations.NullMarked;
