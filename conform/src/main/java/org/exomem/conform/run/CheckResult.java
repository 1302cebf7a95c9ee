package org.exomem.conform.run;

import java.util.List;
import org.exomem.conform.check.Subject;
import org.exomem.conform.wire.Transcript;

/**
 * The result of one check.
 *
 * @param check what was tried or observed
 * @param message the reason, in a sentence; empty if the check passed
 * @param transcript the messages that were sent and received
 * @param nanos the duration in nanoseconds
 */
public record CheckResult(
        Subject check, Verdict verdict, String message, List<Transcript.Line> transcript, long nanos) {
    public CheckResult {
        transcript = List.copyOf(transcript);
    }
}
