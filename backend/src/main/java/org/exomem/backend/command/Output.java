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
 * @param isJson true for JSON in the form of the control socket; false for people
 */
record Output(Streams streams, boolean isJson) {
    /** Where results go. */
    PrintWriter out() {
        return streams.out();
    }

    /** Prints a message that is not a result on stderr, so that the output for a script stays clean. */
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
