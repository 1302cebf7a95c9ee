/**
 * Command lines. A command declares its arguments once. Picocli parses and explains them, and completion is generated
 * from them.
 */
@NullMarked
package org.exomem.cli.options;

import org.jspecify.annotations.NullMarked;
