package org.exomem.backend.http;

import java.time.Duration;

/**
 * The time limits for a client.
 *
 * @param request for a complete request; counted from the connection, or from the receipt of the answer before
 * @param unread for the receipt of an answer, or of a piece of one that goes on
 * @param end for the receipt of the rest of an answer that went on and has ended
 */
record HttpLimits(Duration request, Duration unread, Duration end) {
    static final HttpLimits USUAL =
            new HttpLimits(Duration.ofSeconds(60), Duration.ofSeconds(60), Duration.ofSeconds(5));
}
