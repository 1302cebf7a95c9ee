package org.exomem.conform.strict.observe;

import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.wire.Transcript;

/** Passes the events of one session to all observers, and keeps what they have seen. For one thread. */
public final class Account {
    /** The number of lines that are kept of the transcript before a fault. */
    private static final int LINES = 24;

    private static final int MESSAGES = 3;

    private final Transcript transcript;
    private final List<Entry> entries;

    /** Uses the observations that are for the device's type. */
    public Account(List<Observation> observations, DeviceType device, Transcript transcript) {
        this.transcript = transcript;
        this.entries = observations.stream()
                .filter(each -> each.device() == DeviceType.ANY || each.device() == device)
                .map(each -> new Entry(each, each.observer().get()))
                .toList();
    }

    /** Passes an event to the observers. */
    public void see(Event event, Scene scene) {
        for (Entry entry : entries) {
            entry.observer.see(event, scene, entry);
        }
    }

    /** The result of each observation: PASS if it was seen and right, FAIL if it was wrong, SKIP if it was not seen. */
    public List<CheckResult> results() {
        return entries.stream().map(Entry::result).toList();
    }

    private final class Entry implements Tally {
        private final Observation observation;
        private final Observer observer;
        private final List<String> wrong = new ArrayList<>();
        private List<Transcript.Line> evidence = List.of();
        private long kept;
        private long broken;

        Entry(Observation observation, Observer observer) {
            this.observation = observation;
            this.observer = observer;
        }

        @Override
        public void kept() {
            kept++;
        }

        @Override
        public void broken(String what) {
            if (broken == 0) {
                evidence = transcript.last(LINES);
            }
            broken++;
            if (wrong.size() < MESSAGES && !wrong.contains(what)) {
                wrong.add(what);
            }
        }

        CheckResult result() {
            if (broken > 0) {
                String times = broken + (broken == 1 ? " time" : " times") + (kept == 0 ? "" : ", right " + kept);
                return result(Verdict.FAIL, "wrong " + times + ": " + String.join("; ", wrong));
            }
            return kept > 0
                    ? result(Verdict.PASS, "seen " + kept + (kept == 1 ? " time" : " times"))
                    : result(Verdict.SKIP, "not observed in this run");
        }

        private CheckResult result(Verdict verdict, String message) {
            return new CheckResult(observation, verdict, message, evidence, 0);
        }
    }
}
