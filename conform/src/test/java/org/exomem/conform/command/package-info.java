@NullMarked
package org.exomem.conform.command;

import org.jspecify.annotations.NullMarked;
