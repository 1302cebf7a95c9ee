/** What is wrong with the process and its VMs, in words. */
@NullMarked
package org.exomem.backend.health;

import org.jspecify.annotations.NullMarked;
