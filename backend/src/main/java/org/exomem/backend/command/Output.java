package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.util.function.Supplier;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.text.VisibleText;

/**
 * Shows the result of a command.
 *
 * @param isJson whether as JSON, as the control socket gave it; otherwise for people
 */
record Output(Streams streams, boolean isJson) {
    /** Where results go. */
    PrintWriter out() {
        return streams.out();
    }

    /** Tells the user something that is no result: on stderr, so that a script's input stays clean. */
    void note(String text) {
        streams.note(text);
    }

    int show(JsonNode result, Supplier<String> forPeople) {
        if (isJson) {
            out().println(Json.pretty(result));
        } else {
            out().print(VisibleText.lines(forPeople.get()));
        }
        out().flush();
        return ExitCode.OK;
    }
}
