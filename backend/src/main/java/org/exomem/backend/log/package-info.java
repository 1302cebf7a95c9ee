/** The log: lines on stderr. Everything logs through SLF4J, and this is what SLF4J finds. */
@NullMarked
package org.exomem.backend.log;

import org.jspecify.annotations.NullMarked;
