/** Text for people: untrusted text made harmless, and suggestions for misspelt names. */
@NullMarked
package org.exomem.cli.text;

import org.jspecify.annotations.NullMarked;
