/** What Prometheus gets to know of the process, its VMs and their devices. */
@NullMarked
package org.exomem.backend.metrics;

import org.jspecify.annotations.NullMarked;
