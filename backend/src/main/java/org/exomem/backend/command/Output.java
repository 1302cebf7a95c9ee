package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.util.function.Supplier;
import org.exomem.backend.qmp.Json;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** How a command shows its result: for people, or as the control socket gave it. */
final class Output {
    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    @Option(names = "--json", description = "Prints JSON, as the control socket gives it; sizes in bytes.")
    private boolean json;

    boolean isJson() {
        return json;
    }

    /** Where results go. */
    PrintWriter out() {
        return spec.commandLine().getOut();
    }

    /** Tells the user something that is no result: on stderr, so that a script's input stays clean. */
    void note(String text) {
        PrintWriter err = spec.commandLine().getErr();
        err.println("exomem: " + text);
        err.flush();
    }

    int show(JsonNode result, Supplier<String> forPeople) {
        PrintWriter out = out();
        if (json) {
            out.println(Json.pretty(result));
        } else {
            out.print(forPeople.get());
        }
        out.flush();
        return ExitCode.OK;
    }
}
