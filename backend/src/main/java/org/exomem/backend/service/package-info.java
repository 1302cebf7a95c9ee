/** What a service manager such as systemd is told of this process, and what it gives it. */
@NullMarked
package org.exomem.backend.service;

import org.jspecify.annotations.NullMarked;
