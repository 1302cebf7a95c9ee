/** The reports to a service manager such as systemd, and what it passes to this process. */
@NullMarked
package org.exomem.backend.service;

import org.jspecify.annotations.NullMarked;
