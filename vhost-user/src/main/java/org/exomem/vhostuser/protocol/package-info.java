/** The vhost-user wire: one record per message with its layout and its check, and the codec. */
@NullMarked
package org.exomem.vhostuser.protocol;

import org.jspecify.annotations.NullMarked;
