/** All observations of a front-end and a driver, by topic. */
@NullMarked
package org.exomem.conform.strict.observers;

import org.jspecify.annotations.NullMarked;
