package org.exomem.conform.run;

import java.time.Instant;
import java.util.List;
import org.exomem.conform.trial.DeviceType;

/**
 * What came out of a run.
 *
 * @param subject what was tested
 * @param device what it is, or what the front-end was given; ANY if that is not known
 * @param sample the request that the checks of rings sent; empty if none was found
 * @param offered the virtio features that the back-end offers, as a mask
 * @param offeredProtocol its protocol features
 * @param known failures that do not count
 * @param notes what else was seen that somebody may want to know, and that no document forbids
 */
public record RunReport(
        String subject,
        DeviceType device,
        Instant begin,
        long nanos,
        long offered,
        long offeredProtocol,
        String sample,
        Expectations known,
        List<CheckResult> results,
        List<String> notes) {
    public RunReport {
        results = List.copyOf(results);
        notes = List.copyOf(notes);
    }

    /** Of a back-end of which no failure is known, without notes. */
    public RunReport(
            String subject,
            DeviceType device,
            Instant begin,
            long nanos,
            long offered,
            long offeredProtocol,
            String sample,
            List<CheckResult> results) {
        this(subject, device, begin, nanos, offered, offeredProtocol, sample, Expectations.NONE, results, List.of());
    }

    /** The same, of a subject that is called otherwise. */
    public RunReport named(String name) {
        return new RunReport(name, device, begin, nanos, offered, offeredProtocol, sample, known, results, notes);
    }

    /** The same, where these failures are known. */
    public RunReport knowing(Expectations failures) {
        return new RunReport(subject, device, begin, nanos, offered, offeredProtocol, sample, failures, results, notes);
    }

    /** True if it is not good and is known not to be. */
    public boolean isKnown(CheckResult result) {
        return !result.verdict().isGood() && known.cover(result);
    }

    /** True if somebody has to look at it: it is not good, and not known. */
    public boolean isNews(CheckResult result) {
        return !result.verdict().isGood() && !known.cover(result);
    }

    /** How many checks came out so. */
    public long count(Verdict verdict) {
        return results.stream().filter(result -> result.verdict() == verdict).count();
    }

    /** True if nobody has to look at anything. */
    public boolean isGood() {
        return results.stream().noneMatch(this::isNews);
    }
}
