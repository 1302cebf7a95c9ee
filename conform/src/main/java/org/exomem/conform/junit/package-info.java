/** The checks as tests of JUnit Jupiter, for projects with a back-end of their own. */
@NullMarked
package org.exomem.conform.junit;

import org.jspecify.annotations.NullMarked;
