/**
 * An embedded VMM with a guest inside: RAM in a file, a log of the guest's writes, QMP, and a program that notices when
 * the content of a page of its memory is wrong.
 */
@NullMarked
package org.exomem.embedded;

import org.jspecify.annotations.NullMarked;
