/** Transfer of the device's state. */
@NullMarked
package org.exomem.conform.checks.state;

import org.jspecify.annotations.NullMarked;
