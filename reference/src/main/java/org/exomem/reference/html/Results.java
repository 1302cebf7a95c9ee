package org.exomem.reference.html;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The results of all runs, by requirement. Exomem's own devices come first. */
final class Results {
    private final List<Run> runs;
    /** The results for each requirement and each run. */
    private final Map<String, Map<Run, List<Run.Result>>> byRequirement = new HashMap<>();

    Results(List<Run> runs) {
        this.runs = runs.stream()
                .sorted(Comparator.comparing((Run run) -> !run.isOurs()))
                .toList();
        for (Run run : runs) {
            for (Run.Result result : run.results()) {
                add(run, result, result.requirements().getFirst());
                // A failure says nothing about the other requirements that the check would have confirmed.
                if (!result.verdict().isWrong()) {
                    result.requirements().stream().skip(1).forEach(other -> add(run, result, other));
                }
            }
        }
    }

    private void add(Run run, Run.Result result, String requirement) {
        byRequirement
                .computeIfAbsent(requirement, id -> new HashMap<>())
                .computeIfAbsent(run, each -> new ArrayList<>())
                .add(result);
    }

    List<Run> runs() {
        return runs;
    }

    List<Run.Result> of(String requirement, Run run) {
        return byRequirement.getOrDefault(requirement, Map.of()).getOrDefault(run, List.of());
    }

    /** The names of the checks that are about a requirement, in the order of the runs. */
    Set<String> checks(String requirement) {
        Set<String> names = new LinkedHashSet<>();
        for (Run run : runs) {
            of(requirement, run).forEach(result -> names.add(result.check()));
        }
        return names;
    }

    /** The weightiest verdict of a run about a requirement; empty if none of its checks is about it. */
    Optional<Verdict> verdict(String requirement, Run run) {
        return of(requirement, run).stream().map(Run.Result::verdict).max(Comparator.naturalOrder());
    }
}
