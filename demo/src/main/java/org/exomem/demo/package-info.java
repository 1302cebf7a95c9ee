/** The whole life of a guest without a VMM, to be watched. */
@NullMarked
package org.exomem.demo;

import org.jspecify.annotations.NullMarked;
