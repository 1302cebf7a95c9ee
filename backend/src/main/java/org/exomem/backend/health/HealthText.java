package org.exomem.backend.health;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.exomem.backend.qmp.Json;

/** The formats of problems. */
public final class HealthText {
    private static final String OK = "ok";

    private HealthText() {}

    /** The worst severity in a word: ok, warning or critical. */
    public static String status(List<Problem> problems) {
        return problems.stream()
                .map(Problem::severity)
                .min(Problem.Severity::compareTo)
                .map(Problem.Severity::word)
                .orElse(OK);
    }

    /** The format on the control socket. */
    public static ObjectNode json(List<Problem> problems) {
        ObjectNode report = Json.object().put("status", status(problems));
        ArrayNode list = report.putArray("problems");
        for (Problem problem : problems) {
            ObjectNode one = list.addObject().put("severity", problem.severity().word());
            if (!problem.vm().isEmpty()) {
                one.put("vm", problem.vm());
            }
            if (!problem.device().isEmpty()) {
                one.put("device", problem.device());
            }
            one.put("problem", problem.what()).put("advice", problem.advice());
        }
        return report;
    }

    /** The format for people: a line for each problem, and one for what to do about it. */
    public static String words(List<Problem> problems) {
        if (problems.isEmpty()) {
            return OK + "\n";
        }
        StringBuilder words = new StringBuilder();
        for (Problem problem : problems) {
            words.append(problem.text())
                    .append("\n    ")
                    .append(problem.advice())
                    .append('\n');
        }
        return words.toString();
    }
}
