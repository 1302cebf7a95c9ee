/**
 * The catalogue of requirements: each normative statement of the documents that exomem implements, from {@code
 * spec/catalogue}, and each rule of the chapters in {@code spec/}. Depends on no other part of exomem.
 */
@NullMarked
package org.exomem.reference;

import org.jspecify.annotations.NullMarked;
