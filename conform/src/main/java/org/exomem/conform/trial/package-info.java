/**
 * What a check uses to reach the back-end under test: a new connection, guest memory, rings, and the means to report
 * its result.
 */
@NullMarked
package org.exomem.conform.trial;

import org.jspecify.annotations.NullMarked;
