/** Copies a guest's memory while the guest runs, and the last of it while the guest is paused. */
@NullMarked
package org.exomem.migration.precopy;

import org.jspecify.annotations.NullMarked;
