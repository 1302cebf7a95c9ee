/**
 * The catalogue of requirements: each normative statement of the documents that exomem implements, as {@code spec/catalogue} has it,
 * and each rule of the chapters in {@code spec/}. Knows nothing of the rest of exomem.
 */
@NullMarked
package org.exomem.reference;

import org.jspecify.annotations.NullMarked;
