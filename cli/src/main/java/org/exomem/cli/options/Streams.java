package org.exomem.cli.options;

import java.io.FileDescriptor;
import java.io.PrintWriter;
import org.exomem.cli.text.VisibleText;

/**
 * Where a command writes.
 *
 * @param out results
 * @param err everything else; a script that reads results does not see it
 */
public record Streams(PrintWriter out, PrintWriter err) {
    /** Of a pipe whose other end is closed, in the JDK's words. */
    private static final String NOBODY_READS = "Broken pipe";

    /**
     * Those of the process, in UTF-8. Not {@code System.out}: what can't be written must be known, and is forgotten there.
     */
    public static Streams ofProcess() {
        return new Streams(
                DescriptorWriter.to(FileDescriptor.out, false), DescriptorWriter.to(FileDescriptor.err, true));
    }

    /**
     * Writes what is still buffered, and says if anything that was printed to {@link #out} is lost. Says nothing of a reader
     * that has gone, such as {@code head}: it has what it wanted.
     *
     * @param code the command's exit code
     * @return the exit code of the process
     */
    public int end(int code) {
        if (!out.checkError()) {
            return code;
        }
        String why = out instanceof DescriptorWriter descriptor
                ? descriptor.failure().orElse("")
                : "";
        if (!why.equals(NOBODY_READS)) {
            note("the output can't be written" + (why.isEmpty() ? "" : ": " + why));
        }
        return code == ExitCode.OK ? ExitCode.FAILED : code;
    }

    /** Tells the user something that is no result. */
    public void note(String text) {
        err.println("exomem: " + VisibleText.lines(text));
        err.flush();
    }
}
