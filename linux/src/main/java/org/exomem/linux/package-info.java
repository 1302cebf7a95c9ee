/**
 * Every system call that exomem makes beyond the JDK's own, one class per family. A failed call throws {@link
 * org.exomem.linux.LinuxException} with its errno; nothing here interprets the protocol.
 */
@NullMarked
package org.exomem.linux;

import org.jspecify.annotations.NullMarked;
