/** Headers, payloads and answers of messages, and requests for confirmation. */
@NullMarked
package org.exomem.conform.checks.messages;

import org.jspecify.annotations.NullMarked;
