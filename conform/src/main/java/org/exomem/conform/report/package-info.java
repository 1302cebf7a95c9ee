/** What came out of a run, for people, for programs and for the services that integrate changes. */
@NullMarked
package org.exomem.conform.report;

import org.jspecify.annotations.NullMarked;
