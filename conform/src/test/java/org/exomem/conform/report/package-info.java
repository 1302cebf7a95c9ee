@NullMarked
package org.exomem.conform.report;

import org.jspecify.annotations.NullMarked;
