/**
 * The migration engine: what is known of each page of a guest's memory, rounds of copying while the guest runs, and the
 * last one while it is paused. {@code spec/migration.md} has the rules (MIG-…) and the argument why they lose no page.
 */
@NullMarked
package org.exomem.migration;

import org.jspecify.annotations.NullMarked;
