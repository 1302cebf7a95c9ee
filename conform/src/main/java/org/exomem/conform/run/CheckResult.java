package org.exomem.conform.run;

import java.util.List;
import org.exomem.conform.check.Subject;
import org.exomem.conform.wire.Transcript;

/**
 * What came out of one check.
 *
 * @param check what was tried, or watched
 * @param message why, in a sentence; empty if it passed
 * @param transcript what was sent and what came
 * @param nanos how long it took
 */
public record CheckResult(
        Subject check, Verdict verdict, String message, List<Transcript.Line> transcript, long nanos) {
    public CheckResult {
        transcript = List.copyOf(transcript);
    }
}
