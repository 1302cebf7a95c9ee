/** Serves the page faults of a VMM whose memory comes while its guest runs. */
@NullMarked
package org.exomem.migration.pager;

import org.jspecify.annotations.NullMarked;
