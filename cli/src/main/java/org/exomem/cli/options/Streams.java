package org.exomem.cli.options;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import org.exomem.cli.text.VisibleText;

/**
 * The output streams of a command.
 *
 * @param out results
 * @param err everything else; a script that reads results does not see it
 */
public record Streams(PrintWriter out, PrintWriter err) {
    /** The streams of the process, in UTF-8. {@code System.out} is not used, because it hides failures to write. */
    public static Streams ofProcess() {
        return new Streams(
                new PrintWriter(writer(FileDescriptor.out)), new PrintWriter(writer(FileDescriptor.err), true));
    }

    private static Writer writer(FileDescriptor descriptor) {
        return new OutputStreamWriter(new FileOutputStream(descriptor), StandardCharsets.UTF_8);
    }

    /** Flushes {@link #out}. Returns false if anything that was printed to it is lost. */
    public boolean outIsWritten() {
        return !out.checkError();
    }

    /** Prints a message that is not a result. */
    public void note(String text) {
        err.println("exomem: " + VisibleText.lines(text));
        err.flush();
    }
}
