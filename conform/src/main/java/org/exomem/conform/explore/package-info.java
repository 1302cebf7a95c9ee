/**
 * Random exploration: scripts of messages, ring contents and kicks, valid and not, from a seed. What a back-end does not
 * survive is shortened to a script that repeats it.
 */
@NullMarked
package org.exomem.conform.explore;

import org.jspecify.annotations.NullMarked;
