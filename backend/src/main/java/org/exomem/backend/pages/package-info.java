/** Free pages for a VMM's own migration engine: a bitmap that it shares, see {@code spec/pages.md}. */
@NullMarked
package org.exomem.backend.pages;

import org.jspecify.annotations.NullMarked;
