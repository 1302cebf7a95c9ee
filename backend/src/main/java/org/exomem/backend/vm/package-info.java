/** The virtual machines of this process, each on an event loop of its own. */
@NullMarked
package org.exomem.backend.vm;

import org.jspecify.annotations.NullMarked;
