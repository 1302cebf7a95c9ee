@NullMarked
package org.exomem.embedded;

import org.jspecify.annotations.NullMarked;
