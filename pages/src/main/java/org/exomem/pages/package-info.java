/**
 * Guest pages, as several parts of exomem see them: sets of them, the feed of what devices learn about them, and bits and
 * numbers that outlive the process. Knows no device, no protocol and no engine.
 */
@NullMarked
package org.exomem.pages;

import org.jspecify.annotations.NullMarked;
