@NullMarked
package org.exomem.vmm;

import org.jspecify.annotations.NullMarked;
