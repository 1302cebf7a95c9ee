/** Image folders: a saved VM, and the manifest that says what belongs to it. */
@NullMarked
package org.exomem.images.manifest;

import org.jspecify.annotations.NullMarked;
