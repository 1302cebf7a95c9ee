/** What an operator asks for: devices from options in QEMU's comma style, a YAML file or a control command. */
@NullMarked
package org.exomem.backend.config;

import org.jspecify.annotations.NullMarked;
