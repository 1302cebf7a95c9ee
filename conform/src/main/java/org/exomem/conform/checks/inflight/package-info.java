/** The record of requests that are in flight. */
@NullMarked
package org.exomem.conform.checks.inflight;

import org.jspecify.annotations.NullMarked;
