/** Command lines: what a command takes is declared once; picocli parses and explains it, and completion is made from it. */
@NullMarked
package org.exomem.cli.options;

import org.jspecify.annotations.NullMarked;
