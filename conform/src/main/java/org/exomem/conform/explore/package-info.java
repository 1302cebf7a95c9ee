/**
 * Random exploration: scripts of messages, ring contents and kicks, valid and invalid, from a seed. If the back-end
 * fails at a script, the script is shortened to one that still repeats the failure.
 */
@NullMarked
package org.exomem.conform.explore;

import org.jspecify.annotations.NullMarked;
