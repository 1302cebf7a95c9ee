package org.exomem.vmm;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A program of the test class path in a separate process. Closing it ends it. */
final class ChildProgram implements AutoCloseable {
    private final Process process;
    private final BufferedReader output;

    private ChildProgram(Process process) {
        this.process = process;
        this.output = process.inputReader(StandardCharsets.UTF_8);
    }

    static ChildProgram start(Class<?> program, String... arguments) throws IOException {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                program.getName()));
        words.addAll(List.of(arguments));
        return new ChildProgram(new ProcessBuilder(words)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    long pid() {
        return process.pid();
    }

    /** True if {@link #line} would not wait. */
    boolean hasSaid() throws IOException {
        return output.ready();
    }

    /** Returns the next line of its output. */
    String line() throws IOException {
        String line = output.readLine();
        if (line == null) {
            throw new IOException("the program has ended");
        }
        return line;
    }

    /** Makes it do its work once more, and returns its output. */
    String next() throws IOException {
        process.getOutputStream().write('\n');
        process.getOutputStream().flush();
        return line();
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
