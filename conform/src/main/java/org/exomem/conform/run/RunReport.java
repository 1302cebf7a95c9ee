package org.exomem.conform.run;

import java.time.Instant;
import java.util.List;
import org.exomem.conform.trial.DeviceType;

/**
 * The result of a run.
 *
 * @param subject what was tested
 * @param device the device's type, or the type of the device that the front-end was given; ANY if unknown
 * @param sample the request that the checks of rings sent; empty if none was found
 * @param offered mask of the virtio features that the back-end offers
 * @param offeredProtocol mask of its protocol features
 * @param known failures that do not count
 * @param notes further observations that no document forbids
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

    /** Creates a report without known failures and notes. */
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

    /** Returns the same report with another name of the subject. */
    public RunReport named(String name) {
        return new RunReport(name, device, begin, nanos, offered, offeredProtocol, sample, known, results, notes);
    }

    /** Returns the same report with these known failures. */
    public RunReport knowing(Expectations failures) {
        return new RunReport(subject, device, begin, nanos, offered, offeredProtocol, sample, failures, results, notes);
    }

    /** True if the result is not good, and is a known failure. */
    public boolean isKnown(CheckResult result) {
        return !result.verdict().isGood() && known.cover(result);
    }

    /** True if the result needs attention: it is not good, and not known. */
    public boolean isNews(CheckResult result) {
        return !result.verdict().isGood() && !known.cover(result);
    }

    /** The number of checks with this verdict. */
    public long count(Verdict verdict) {
        return results.stream().filter(result -> result.verdict() == verdict).count();
    }

    /** True if no result needs attention. */
    public boolean isGood() {
        return results.stream().noneMatch(this::isNews);
    }
}
