package org.exomem.cli.options;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import org.exomem.cli.text.VisibleText;

/**
 * Where a command writes.
 *
 * @param out results
 * @param err everything else; a script that reads results does not see it
 */
public record Streams(PrintWriter out, PrintWriter err) {
    /**
     * Those of the process, in UTF-8. Not {@code System.out}: what can't be written must be known, and is forgotten there.
     */
    public static Streams ofProcess() {
        return new Streams(
                new PrintWriter(writer(FileDescriptor.out)), new PrintWriter(writer(FileDescriptor.err), true));
    }

    private static Writer writer(FileDescriptor descriptor) {
        return new OutputStreamWriter(new FileOutputStream(descriptor), StandardCharsets.UTF_8);
    }

    /** Writes what is still buffered; false if anything that was printed to {@link #out} is lost. */
    public boolean outIsWritten() {
        return !out.checkError();
    }

    /** Tells the user something that is no result. */
    public void note(String text) {
        err.println("exomem: " + VisibleText.lines(text));
        err.flush();
    }
}
