/** Text for people: what strangers wrote made harmless, and names that are nearly right. */
@NullMarked
package org.exomem.cli.text;

import org.jspecify.annotations.NullMarked;
