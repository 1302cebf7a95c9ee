@NullMarked
package org.exomem.conform.suite;

import org.jspecify.annotations.NullMarked;
