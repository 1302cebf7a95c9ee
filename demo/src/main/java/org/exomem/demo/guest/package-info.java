/** A guest in a process of its own, which executes commands step by step. */
@NullMarked
package org.exomem.demo.guest;

import org.jspecify.annotations.NullMarked;
