package org.exomem.conform.run;

import java.io.EOFException;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
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
import org.exomem.linux.Fd;

/** Runs checks against one back-end, one after the other. For one thread. */
public final class Runner {
    private static final Duration TO_CRASH = Duration.ofMillis(500);

    private final BackEnd backEnd;
    private final DeviceType type;
    private final Limits limits;
    private final Progress progress;

    /** Notified of the progress of a run. */
    public interface Progress {
        /** Ignores all notifications. */
        Progress UNWATCHED = new Progress() {
            @Override
            public void begins(Check check, int number, int of) {}

            @Override
            public void ended(CheckResult result) {}
        };

        /**
         * A check begins.
         *
         * @param number of the check, from 1
         */
        void begins(Check check, int number, int of);

        void ended(CheckResult result);
    }

    /** The caller still owns the back-end. */
    public Runner(BackEnd backEnd, DeviceType type, Limits limits, Progress progress) {
        this.backEnd = backEnd;
        this.type = type;
        this.limits = limits;
        this.progress = progress;
    }

    /**
     * What was found out about a back-end before the checks.
     *
     * @param offered mask of its virtio features
     * @param offeredProtocol mask of its protocol features
     * @param sample a request that it serves
     */
    public record Found(long offered, long offeredProtocol, Optional<Sample> sample) {}

    /**
     * Examines the back-end.
     *
     * @throws IOException if the back-end serves no session
     */
    public Found look() throws IOException {
        long offered = 0;
        long offeredProtocol = 0;
        Fd connection = backEnd.connect();
        try (FrontEnd frontEnd = new FrontEnd(connection, limits.answer())) {
            offered = frontEnd.getFeatures();
            if ((offered & Features.PROTOCOL_FEATURES) != 0) {
                offeredProtocol = frontEnd.getProtocolFeatures();
            }
        } catch (WrongAnswerException e) {
            // Other checks test for an invalid answer.
        } catch (IOException e) {
            if (e instanceof SocketTimeoutException || Closing.is(e)) {
                throw e;
            }
            // Other checks test for an answer with a wrong header.
        }
        Optional<Sample> sample = SampleChoice.find(backEnd, type);
        // Other checks test whether the back-end survives the requests of another device type.
        backEnd.ended();
        return new Found(offered, offeredProtocol, sample);
    }

    /** The checks that are for the device's type. */
    public List<Check> fitting(List<Check> checks) {
        return checks.stream()
                .filter(check -> check.device() == DeviceType.ANY || check.device() == type)
                .toList();
    }

    /**
     * Runs all checks that are for the device's type.
     *
     * @throws IOException if the back-end serves no session at the start, so that nothing was tried
     */
    public RunReport run(List<Check> checks) throws IOException {
        Instant begin = Instant.now();
        long beginNanos = System.nanoTime();
        Found found = look();
        List<Check> chosen = fitting(checks);
        List<CheckResult> results = new ArrayList<>();
        for (Check check : chosen) {
            progress.begins(check, results.size() + 1, chosen.size());
            CheckResult result = run(check, found);
            results.add(result);
            progress.ended(result);
        }
        return new RunReport(
                backEnd.description(),
                type,
                begin,
                System.nanoTime() - beginNanos,
                found.offered(),
                found.offeredProtocol(),
                found.sample().map(Sample::name).orElse(""),
                results);
    }

    /** Runs one check. */
    public CheckResult run(Check check, Found found) {
        Transcript transcript = new Transcript();
        long begin = System.nanoTime();
        Result result;
        try (Trial trial = new Trial(backEnd, limits, type, found.sample().orElse(null), transcript)) {
            result = run(check, trial);
        }
        Optional<BackEnd.Ending> ending = backEnd.ended();
        if (result.verdict == Verdict.FAIL) {
            ending = endingSoon(ending);
        }
        if (result.verdict == Verdict.HANG && ending.isEmpty() && backEnd.kill()) {
            transcript.say("the back-end was killed, so that its hang does not affect later checks");
        }
        if (ending.isPresent()) {
            transcript.say("the back-end " + ending.get());
            result = with(ending.get(), result);
        }
        return new CheckResult(check, result.verdict, result.message, transcript.lines(), System.nanoTime() - begin);
    }

    /** A crash is a failure, whatever the check tested. An end with an error status explains a failure. */
    private static Result with(BackEnd.Ending ending, Result result) {
        if (ending.isCrash()) {
            return new Result(Verdict.FAIL, "the back-end crashed (" + ending + ")" + ending.written());
        }
        boolean explains = ending.isFailure() && !result.verdict.isGood();
        return explains
                ? new Result(result.verdict, result.message + "; the back-end " + ending + ending.written())
                : result;
    }

    /** A crashing process closes its connections first, and may end a while later. */
    private Optional<BackEnd.Ending> endingSoon(Optional<BackEnd.Ending> known) {
        Optional<BackEnd.Ending> ending = known;
        long end = System.nanoTime() + TO_CRASH.toNanos();
        while (ending.isEmpty() && backEnd.pid().isPresent() && System.nanoTime() < end) {
            ending = backEnd.ended();
        }
        return ending;
    }

    private record Result(Verdict verdict, String message) {}

    private static Result run(Check check, Trial trial) {
        try {
            check.body().run(trial);
            List<String> refusals = trial.refusals();
            return refusals.isEmpty()
                    ? new Result(Verdict.PASS, "")
                    : new Result(Verdict.REFUSED, "closed the connection because of " + String.join("; ", refusals));
        } catch (Skipped e) {
            return new Result(Verdict.SKIP, text(e));
        } catch (Unmet | WrongAnswerException | RequestRefusedException e) {
            return new Result(Verdict.FAIL, text(e));
        } catch (SocketTimeoutException e) {
            return new Result(Verdict.HANG, text(e));
        } catch (IOException e) {
            return new Result(Verdict.FAIL, closing(e));
        } catch (Exception e) {
            trial.transcript().say(e.toString());
            return new Result(Verdict.ERROR, "an internal error of the check: " + e);
        }
    }

    private static String closing(IOException e) {
        if (e instanceof EOFException || !Closing.is(e)) {
            return text(e);
        }
        return "the back-end closed the connection (" + text(e) + ")";
    }

    private static String text(Exception e) {
        return String.valueOf(e.getMessage());
    }
}
