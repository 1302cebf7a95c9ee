/** Features that few back-ends offer: IOMMU, post-copy, shared objects and memory, in-band notifications. */
@NullMarked
package org.exomem.conform.checks.optional;

import org.jspecify.annotations.NullMarked;
