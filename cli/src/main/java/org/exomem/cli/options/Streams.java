package org.exomem.cli.options;

import java.io.FileDescriptor;
import java.io.PrintWriter;
import org.exomem.cli.text.VisibleText;

/**
 * The output streams of a command.
 *
 * @param out results
 * @param err everything else; a script that reads results does not see it
 */
public record Streams(PrintWriter out, PrintWriter err) {
    /** The JDK's message for a pipe whose other end is closed. */
    private static final String NOBODY_READS = "Broken pipe";

    /** The streams of the process, in UTF-8. {@code System.out} is not used, because it hides failures to write. */
    public static Streams ofProcess() {
        return new Streams(
                DescriptorWriter.to(FileDescriptor.out, false), DescriptorWriter.to(FileDescriptor.err, true));
    }

    /**
     * Flushes {@link #out}, and reports if anything that was printed to it is lost. It reports nothing if the reader has closed
     * the output, as {@code head} does.
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

    /** Prints a message that is not a result. */
    public void note(String text) {
        err.println("exomem: " + VisibleText.lines(text));
        err.flush();
    }
}
