/** The map of a VM's memory: what its pages are, range by range. */
@NullMarked
package org.exomem.backend.map;

import org.jspecify.annotations.NullMarked;
