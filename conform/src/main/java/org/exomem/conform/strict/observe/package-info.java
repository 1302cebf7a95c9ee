/** What is watched, and the account that is kept of it. */
@NullMarked
package org.exomem.conform.strict.observe;

import org.jspecify.annotations.NullMarked;
