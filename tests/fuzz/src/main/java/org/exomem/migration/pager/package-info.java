/** The part of the pager that a fuzzer needs. */
@NullMarked
package org.exomem.migration.pager;

import org.jspecify.annotations.NullMarked;
