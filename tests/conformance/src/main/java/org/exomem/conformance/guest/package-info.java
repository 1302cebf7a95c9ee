/** The guest's side: its memory, the drivers of its rings, its balloon driver. */
@NullMarked
package org.exomem.conformance.guest;

import org.jspecify.annotations.NullMarked;
