/**
 * The catalogue of requirements: each normative statement of the documents that exomem implements, as {@code spec/catalogue}
 * of the sources has them. Knows nothing of the rest of exomem.
 */
@NullMarked
package org.exomem.reference;

import org.jspecify.annotations.NullMarked;
