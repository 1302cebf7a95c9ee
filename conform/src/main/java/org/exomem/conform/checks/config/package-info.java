/** Config space, device status, reset, and the channel for the back-end's own requests. */
@NullMarked
package org.exomem.conform.checks.config;

import org.jspecify.annotations.NullMarked;
