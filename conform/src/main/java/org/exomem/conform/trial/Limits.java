package org.exomem.conform.trial;

import java.time.Duration;

/**
 * How long checks wait.
 *
 * @param answer for something that must come; after that it counts as a hang
 * @param quiet for something that must not come; nothing later is noticed
 */
public record Limits(Duration answer, Duration quiet) {
    public static final Limits USUAL = new Limits(Duration.ofSeconds(5), Duration.ofMillis(50));
}
