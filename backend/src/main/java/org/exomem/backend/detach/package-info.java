/** Takes the devices of a running VM out of its VMM, and puts them back, so that exomem can end in between. */
@NullMarked
package org.exomem.backend.detach;

import org.jspecify.annotations.NullMarked;
