package org.exomem.migration.pager;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A program of the test class path in a separate process. Closing it kills it, like {@code kill -9}. */
final class TestProgram implements AutoCloseable {
    private final Process process;
    private final BufferedReader output;

    private TestProgram(Process process) {
        this.process = process;
        this.output = process.inputReader(StandardCharsets.UTF_8);
    }

    static TestProgram start(Class<?> program, Object... arguments) throws IOException {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                program.getName()));
        for (Object argument : arguments) {
            words.add(argument.toString());
        }
        return new TestProgram(new ProcessBuilder(words)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    int pid() {
        return (int) process.pid();
    }

    void say(Object... words) throws IOException {
        StringBuilder text = new StringBuilder();
        for (Object word : words) {
            text.append(text.isEmpty() ? "" : " ").append(word);
        }
        process.getOutputStream().write(text.append('\n').toString().getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
    }

    /** True if {@link #line} would not wait. */
    boolean hasSaid() throws IOException {
        return output.ready();
    }

    String line() throws IOException {
        String line = output.readLine();
        if (line == null) {
            throw new IOException("the program has ended");
        }
        return line;
    }

    String ask(Object... words) throws IOException {
        say(words);
        return line();
    }

    @Override
    public void close() {
        process.destroyForcibly();
        process.onExit().join();
    }
}
