/** RAM files and saved VMs on disk. What is here knows files only: no VMM, no process, no socket. */
@NullMarked
package org.exomem.images;

import org.jspecify.annotations.NullMarked;
