/** Memory tables, regions and addresses. */
@NullMarked
package org.exomem.conform.checks.memory;

import org.jspecify.annotations.NullMarked;
