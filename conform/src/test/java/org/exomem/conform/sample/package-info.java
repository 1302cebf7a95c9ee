@NullMarked
package org.exomem.conform.sample;

import org.jspecify.annotations.NullMarked;
