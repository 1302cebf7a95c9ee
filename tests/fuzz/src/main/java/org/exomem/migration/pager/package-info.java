/** What a fuzzer needs of the pager. */
@NullMarked
package org.exomem.migration.pager;

import org.jspecify.annotations.NullMarked;
