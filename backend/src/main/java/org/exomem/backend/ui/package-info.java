/** What people look at: all VMs, and the map of one VM's memory; as a web page, which this package serves, and for the terminal. */
@NullMarked
package org.exomem.backend.ui;

import org.jspecify.annotations.NullMarked;
