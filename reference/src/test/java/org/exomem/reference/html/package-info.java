@NullMarked
package org.exomem.reference.html;

import org.jspecify.annotations.NullMarked;
