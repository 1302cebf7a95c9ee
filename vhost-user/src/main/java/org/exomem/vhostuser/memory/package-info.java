/** Guest memory as the front-end shares it: regions, the files behind them, sets of guest pages, the feed of page news. */
@NullMarked
package org.exomem.vhostuser.memory;

import org.jspecify.annotations.NullMarked;
