package org.exomem.backend.command;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.exomem.cli.options.Streams;

/**
 * A command line that was run in this JVM.
 *
 * @param code the exit code
 * @param out its standard output
 * @param err its standard error
 */
record Ran(int code, String out, String err) {
    static Ran of(String... words) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int code = new ExomemCommand().run(new Streams(new PrintWriter(out), new PrintWriter(err)), words);
        return new Ran(code, out.toString(), err.toString());
    }
}
