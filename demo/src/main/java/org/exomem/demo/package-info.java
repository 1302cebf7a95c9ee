/** The whole life of a guest without a VMM, as a demonstration. */
@NullMarked
package org.exomem.demo;

import org.jspecify.annotations.NullMarked;
