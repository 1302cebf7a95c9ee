package org.exomem.conformance;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** An echo back-end in a process of its own, to be killed. Commands and answers are lines. */
final class EchoProcess implements AutoCloseable {
    private final Process process;
    private final BufferedReader answers;

    EchoProcess(Path socket) throws IOException {
        process = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        EchoProcess.class.getName(),
                        socket.toString()))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        answers = process.inputReader(StandardCharsets.UTF_8);
        if (!"ready".equals(answers.readLine())) {
            close();
            throw new IOException("the back-end process did not start");
        }
    }

    /** The number of chains that the device holds. */
    int held() throws IOException {
        return Integer.parseInt(ask("held"));
    }

    /** Has the held chains given back. */
    void release() throws IOException {
        ask("release");
    }

    private String ask(String command) throws IOException {
        process.getOutputStream().write((command + "\n").getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
        String answer = answers.readLine();
        if (answer == null) {
            throw new IOException("the back-end process has ended");
        }
        return answer;
    }

    /** Ends the process as SIGKILL does. */
    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor(1, TimeUnit.MINUTES);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (EchoBackEnd backEnd = new EchoBackEnd(Path.of(arguments[0]));
                BufferedReader commands =
                        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println("ready");
            for (String command = commands.readLine(); command != null; command = commands.readLine()) {
                if (command.equals("release")) {
                    backEnd.runOnLoop(backEnd.device::release);
                }
                System.out.println(backEnd.device.heldChains);
            }
        }
    }
}
