package org.exomem.conformance;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.exomem.linux.EventFd;
import org.exomem.vhostuser.backend.Endpoint;

/** An echo back-end in a separate process, to be killed. Commands and answers are lines. */
final class EchoProcess implements AutoCloseable {
    private final Process process;
    private final BufferedReader answers;

    EchoProcess(Path socket) throws IOException {
        this(socket, List.of());
    }

    /** A process with a limit of open files. */
    static EchoProcess withFileLimit(Path socket, int files) throws IOException {
        return new EchoProcess(socket, List.of("bash", "-c", "ulimit -n " + files + "; exec \"$@\"", "bash"));
    }

    private EchoProcess(Path socket, List<String> prefix) throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                EchoProcess.class.getName(),
                socket.toString()));
        process = new ProcessBuilder(command)
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

    /** Makes the device return the held chains. */
    void release() throws IOException {
        ask("release");
    }

    /** Opens files until there is no descriptor left. */
    void useUpDescriptors() throws IOException {
        ask("hoard");
    }

    /** Closes those files. */
    void freeDescriptors() throws IOException {
        ask("free");
    }

    /** The faults that were reported to the operator so far, in one line. */
    String faults() throws IOException {
        return ask("faults");
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

    /** Sends SIGTERM. Returns false if the process has not ended within the limit. */
    boolean terminate(Duration limit) throws InterruptedException {
        process.destroy();
        return process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** Kills the process with SIGKILL. */
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
            loadClasses(Endpoint.class);
            loadClasses(EventFd.class);
            Class.forName(EchoBackEnd.Fault.class.getName());
            List<InputStream> hoard = new ArrayList<>();
            System.out.println("ready");
            for (String command = commands.readLine(); command != null; command = commands.readLine()) {
                switch (command) {
                    case "release" -> backEnd.runOnLoop(backEnd.device::release);
                    case "hoard" -> openUntilNoneIsLeft(hoard);
                    case "free" -> {
                        for (InputStream one : hoard) {
                            one.close();
                        }
                    }
                    default -> {}
                }
                System.out.println(command.equals("faults") ? backEnd.faults : backEnd.device.heldChains);
            }
        }
    }

    private static void openUntilNoneIsLeft(List<InputStream> hoard) {
        try {
            while (true) {
                hoard.add(new FileInputStream("/dev/null"));
            }
        } catch (IOException e) {
            // There is no descriptor left.
        }
    }

    /** Loads all classes in a class's folder: later there may be no descriptor to read them with. */
    private static void loadClasses(Class<?> one) throws Exception {
        Path root =
                Path.of(one.getProtectionDomain().getCodeSource().getLocation().toURI());
        if (!Files.isDirectory(root)) {
            return;
        }
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.filter(f -> f.toString().endsWith(".class")).toList()) {
                String name = root.relativize(file).toString().replace('/', '.').replaceAll("\\.class$", "");
                if (!name.endsWith("-info")) {
                    Class.forName(name);
                }
            }
        }
    }
}
