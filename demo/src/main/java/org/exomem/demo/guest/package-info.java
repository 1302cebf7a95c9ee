/** A guest in a process of its own, told step by step what to do. */
@NullMarked
package org.exomem.demo.guest;

import org.jspecify.annotations.NullMarked;
