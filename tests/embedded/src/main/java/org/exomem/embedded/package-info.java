/**
 * A VMM of our own with a guest inside: RAM in a file, a log of the guest's writes, QMP, and a program that notices when a
 * page of its memory is not what it was.
 */
@NullMarked
package org.exomem.embedded;

import org.jspecify.annotations.NullMarked;
