package org.exomem.conform.run;

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.exomem.conform.check.Check;
import org.exomem.conform.sample.SampleChoice;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conform.trial.Closing;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.conform.trial.Sample;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.wire.Transcript;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.frontend.WrongAnswerException;

/** Runs checks against one back-end, one after the other. For one thread. */
public final class Runner {
    private final BackEnd backEnd;
    private final DeviceType type;
    private final Limits limits;
    private final Progress progress;

    /** Is told how far a run is. */
    public interface Progress {
        /** Nobody is told. */
        Progress UNWATCHED = new Progress() {
            @Override
            public void begins(Check check, int number, int of) {}

            @Override
            public void ended(CheckResult result) {}
        };

        /**
         * A check begins.
         *
         * @param number from 1 on
         */
        void begins(Check check, int number, int of);

        void ended(CheckResult result);
    }

    /** The back-end stays the caller's. */
    public Runner(BackEnd backEnd, DeviceType type, Limits limits, Progress progress) {
        this.backEnd = backEnd;
        this.type = type;
        this.limits = limits;
        this.progress = progress;
    }

    /**
     * Runs all that are for the device's type.
     *
     * @throws IOException if there is no connection to be had at the start: nothing was tried then
     */
    public RunReport run(List<Check> checks) throws IOException {
        Instant begin = Instant.now();
        long beginNanos = System.nanoTime();
        long offered;
        long offeredProtocol = 0;
        try (FrontEnd frontEnd = new FrontEnd(backEnd.connect(), limits.answer())) {
            offered = frontEnd.getFeatures();
            if ((offered & Features.PROTOCOL_FEATURES) != 0) {
                offeredProtocol = frontEnd.getProtocolFeatures();
            }
        }
        Optional<Sample> sample = SampleChoice.find(backEnd, type);
        List<Check> chosen = checks.stream()
                .filter(check -> check.device() == DeviceType.ANY || check.device() == type)
                .toList();
        List<CheckResult> results = new ArrayList<>();
        for (Check check : chosen) {
            progress.begins(check, results.size() + 1, chosen.size());
            CheckResult result = run(check, sample);
            results.add(result);
            progress.ended(result);
        }
        return new RunReport(
                backEnd.description(),
                begin,
                System.nanoTime() - beginNanos,
                offered,
                offeredProtocol,
                sample.map(Sample::name).orElse(""),
                results);
    }

    private CheckResult run(Check check, Optional<Sample> sample) {
        Transcript transcript = new Transcript();
        long begin = System.nanoTime();
        Found found;
        try (Trial trial = new Trial(backEnd, limits, type, sample.orElse(null), transcript)) {
            found = run(check, trial);
        }
        Optional<BackEnd.Ending> ending = backEnd.ended();
        if (ending.isPresent()) {
            transcript.say("the back-end " + ending.get());
            if (ending.get().isCrash()) {
                found = new Found(
                        Verdict.FAIL,
                        "the back-end crashed (" + ending.get() + "): "
                                + ending.get().lastWords());
            }
        }
        return new CheckResult(check, found.verdict, found.message, transcript.lines(), System.nanoTime() - begin);
    }

    private record Found(Verdict verdict, String message) {}

    private static Found run(Check check, Trial trial) {
        try {
            check.body().run(trial);
            List<String> refusals = trial.refusals();
            return refusals.isEmpty()
                    ? new Found(Verdict.PASS, "")
                    : new Found(Verdict.REFUSED, "closed the connection because of " + String.join("; ", refusals));
        } catch (Skipped e) {
            return new Found(Verdict.SKIP, text(e));
        } catch (Unmet | WrongAnswerException | RequestRefusedException e) {
            return new Found(Verdict.FAIL, text(e));
        } catch (SocketTimeoutException e) {
            return new Found(Verdict.HANG, text(e));
        } catch (IOException e) {
            return new Found(
                    Verdict.FAIL, Closing.is(e) ? "the back-end closed the connection (" + text(e) + ")" : text(e));
        } catch (Exception e) {
            trial.transcript().say(e.toString());
            return new Found(Verdict.ERROR, "a fault of the check itself: " + e);
        }
    }

    private static String text(Exception e) {
        return String.valueOf(e.getMessage());
    }
}
