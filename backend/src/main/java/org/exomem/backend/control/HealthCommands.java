package org.exomem.backend.control;

import static org.exomem.backend.control.Command.NOTHING;
import static org.exomem.backend.control.Type.TEXT;
import static org.exomem.backend.control.Type.choice;
import static org.exomem.backend.control.Type.list;
import static org.exomem.backend.control.Type.maybe;
import static org.exomem.backend.control.Type.object;
import static org.exomem.backend.control.Type.with;

import java.util.List;
import org.exomem.backend.health.HealthText;

/** The command that lists problems (CTL-40); see {@code spec/control.md}. */
final class HealthCommands {
    private final ProcessControl process;

    HealthCommands(ProcessControl process) {
        this.process = process;
    }

    List<Command> all() {
        Type problem = object(
                with("severity", choice("critical", "warning")),
                maybe("vm", TEXT),
                maybe("device", TEXT),
                with("problem", TEXT),
                with("advice", TEXT));
        return List.of(Command.of(
                "query-health",
                NOTHING,
                object(with("status", choice("ok", "warning", "critical")), with("problems", list(problem))),
                arguments -> process.problems().thenApply(HealthText::json)));
    }
}
