/** What an operator asks for: balloons from options in QEMU's comma style or a YAML file. */
@NullMarked
package org.exomem.backend.config;

import org.jspecify.annotations.NullMarked;
