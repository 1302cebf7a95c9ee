package org.exomem.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.exomem.demo.guest.DemoGuest;

/** The guest of the demo, in a process of its own, which executes commands. */
final class GuestProcess implements AutoCloseable {
    private final Process process;
    private final PrintStream commands;
    private final BufferedReader answers;

    /**
     * What the guest measured.
     *
     * @param values by name; sizes in bytes
     * @param text the same for people
     */
    record Answer(Map<String, String> values, String text) {
        long number(String name) throws DemoFailure {
            String value = values.get(name);
            if (value == null) {
                throw new DemoFailure("the guest did not report " + name + ": " + text);
            }
            return Long.parseLong(value);
        }
    }

    private GuestProcess(Process process) {
        this.process = process;
        this.commands = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
        this.answers = process.inputReader(StandardCharsets.UTF_8);
    }

    static GuestProcess start(Path socket, long memory, Path memorySocket) throws IOException {
        return new GuestProcess(
                ChildJvm.of(DemoGuest.class, socket.toString(), Long.toString(memory >> 20), memorySocket.toString())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start());
    }

    /** Sends a command to the guest; does not wait for the answer. */
    void tell(String command) {
        commands.println(command);
    }

    /** Waits for the guest's answer to the command. */
    Answer answer(String command) throws IOException {
        String line = answers.readLine();
        if (line == null) {
            throw new DemoFailure("the guest ended at \"" + command + "\"");
        }
        String[] parts = line.split(" \\| ", 2);
        String text = parts.length == 2 ? parts[1] : "";
        if (!line.startsWith("ok " + command)) {
            throw new DemoFailure("the guest failed at \"" + command + "\": " + text);
        }
        Map<String, String> values = new HashMap<>();
        for (String word : parts[0].split(" ", -1)) {
            int equals = word.indexOf('=');
            if (equals > 0) {
                values.put(word.substring(0, equals), word.substring(equals + 1));
            }
        }
        return new Answer(values, text);
    }

    Answer step(String command) throws IOException {
        tell(command);
        return answer(command);
    }

    @Override
    public void close() {
        commands.close();
        ChildJvm.awaitEnd(process);
    }
}
