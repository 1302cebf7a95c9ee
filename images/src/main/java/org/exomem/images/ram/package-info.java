/** RAM files: a VM's memory in files with names that tell what is in them. */
@NullMarked
package org.exomem.images.ram;

import org.jspecify.annotations.NullMarked;
