package org.exomem.conform.checks.program;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.exomem.conformance.BalloonBackEnd;
import org.exomem.linux.Fd;

/** A balloon as a program by the conventions for back-end programs, which can violate one of them. */
final class BalloonProgram {
    /** The violation. */
    enum Fault {
        NONE,
        IGNORES_SIGTERM,
        KNOWS_NO_FD,
        TAKES_BOTH_SOCKETS,
        WRITES_NO_JSON,
        FAILS_AFTER_CAPABILITIES,
        MAKES_SOCKET_FOR_CAPABILITIES
    }

    private BalloonProgram() {}

    /** The shell command that starts it. */
    static String command(Fault fault) {
        return String.join(
                " ",
                "exec",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx64m --enable-native-access=ALL-UNNAMED",
                "-cp '" + System.getProperty("java.class.path") + "'",
                BalloonProgram.class.getName(),
                fault.name(),
                "--socket-path={socket}");
    }

    public static void main(String[] arguments) throws Exception {
        Fault fault = Fault.valueOf(arguments[0]);
        List<String> options = List.of(arguments);
        Optional<String> path = value(options, "--socket-path=");
        Optional<String> fd = value(options, "--fd=");
        if (options.contains("--print-capabilities")) {
            printCapabilities(fault, path);
        }
        if (path.isPresent() == fd.isPresent()) {
            System.exit(fault == Fault.TAKES_BOTH_SOCKETS ? 0 : 2);
        }
        if (fd.isPresent() && fault == Fault.KNOWS_NO_FD) {
            System.exit(2);
        }
        if (fault == Fault.IGNORES_SIGTERM) {
            Runtime.getRuntime().addShutdownHook(new Thread(BalloonProgram::stay));
        }
        try (BalloonBackEnd _ = path.isPresent()
                ? new BalloonBackEnd(Path.of(path.get()))
                : new BalloonBackEnd(new Fd(Integer.parseInt(fd.orElseThrow())))) {
            stay();
        }
    }

    private static Optional<String> value(List<String> options, String name) {
        return options.stream()
                .filter(option -> option.startsWith(name))
                .map(option -> option.substring(name.length()))
                .findFirst();
    }

    private static void printCapabilities(Fault fault, Optional<String> path) throws Exception {
        System.out.println(fault == Fault.WRITES_NO_JSON ? "a balloon" : "{\"type\": \"balloon\"}");
        if (fault == Fault.MAKES_SOCKET_FOR_CAPABILITIES && path.isPresent()) {
            Files.createFile(Path.of(path.get()));
        }
        System.exit(fault == Fault.FAILS_AFTER_CAPABILITIES ? 1 : 0);
    }

    private static void stay() {
        try {
            new CountDownLatch(1).await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
