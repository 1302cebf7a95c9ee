/** One check's way to the back-end under test: a fresh connection, guest memory, rings, and how it says what it found. */
@NullMarked
package org.exomem.conform.trial;

import org.jspecify.annotations.NullMarked;
