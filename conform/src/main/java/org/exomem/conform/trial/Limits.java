package org.exomem.conform.trial;

import java.time.Duration;

/**
 * How long is waited.
 *
 * @param answer for something that has to come, until it counts as a hang
 * @param quiet for something that must not come; it can't prove more than its length
 */
public record Limits(Duration answer, Duration quiet) {
    public static final Limits USUAL = new Limits(Duration.ofSeconds(5), Duration.ofMillis(50));
}
