/** A guest in a process of its own, told step by step what to do. */
@NullMarked
package org.exomem.conformance.demo;

import org.jspecify.annotations.NullMarked;
