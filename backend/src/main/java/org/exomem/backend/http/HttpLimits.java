package org.exomem.backend.http;

import java.time.Duration;

/**
 * How long a client may keep its place.
 *
 * @param request until it has asked for something, wholly: counted from when it may ask, which is when it has connected and when it has
 *     taken the answer before
 * @param unread until it has taken an answer, or a piece of one that goes on
 * @param end until it has taken what is left of an answer that went on, and has ended
 */
record HttpLimits(Duration request, Duration unread, Duration end) {
    static final HttpLimits USUAL =
            new HttpLimits(Duration.ofSeconds(60), Duration.ofSeconds(60), Duration.ofSeconds(5));
}
