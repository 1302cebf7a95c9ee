package org.exomem.backend.command;

import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;

/**
 * A command line that was run in this JVM.
 *
 * @param code the exit code
 * @param out what it printed
 * @param err what it complained
 */
record Ran(int code, String out, String err) {
    static Ran of(String... words) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine line = new ExomemCommand()
                .commandLine(words[0])
                .setOut(new PrintWriter(out))
                .setErr(new PrintWriter(err));
        int code = line.execute(words);
        return new Ran(code, out.toString(), err.toString());
    }
}
