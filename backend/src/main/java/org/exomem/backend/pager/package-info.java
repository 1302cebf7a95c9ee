/** VMs whose guests run while their memory comes on demand, see {@code spec/pager.md}. */
@NullMarked
package org.exomem.backend.pager;

import org.jspecify.annotations.NullMarked;
