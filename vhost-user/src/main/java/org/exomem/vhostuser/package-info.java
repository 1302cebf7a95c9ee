@NullMarked
package org.exomem.vhostuser;

import org.jspecify.annotations.NullMarked;
