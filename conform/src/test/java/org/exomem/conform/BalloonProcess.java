package org.exomem.conform;

import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.exomem.conformance.BalloonBackEnd;
import org.exomem.linux.EventFd;
import org.exomem.linux.LinuxException;

/** A balloon in a separate process, for tests that need an outside view of the process. */
final class BalloonProcess {
    private static final String LEAKY = "leaky";
    private static final long LOST_BYTES = 64 << 10;

    private BalloonProcess() {}

    /** The shell command that starts it. */
    static String command() {
        return command("");
    }

    /** The shell command that starts one that leaks a descriptor and memory in each session. */
    static String leakyCommand() {
        return command(LEAKY);
    }

    private static String command(String argument) {
        return String.join(
                " ",
                "exec",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx64m --enable-native-access=ALL-UNNAMED",
                "-cp '" + System.getProperty("java.class.path") + "'",
                BalloonProcess.class.getName(),
                "{socket}",
                argument);
    }

    public static void main(String[] arguments) throws Exception {
        try (BalloonBackEnd balloon = new BalloonBackEnd(Path.of(arguments[0]))) {
            if (arguments.length > 1 && arguments[1].equals(LEAKY)) {
                balloon.latePages = came -> {
                    leak();
                    return null;
                };
            }
            new CountDownLatch(1).await();
        }
    }

    /** For each region of guest memory, so at least once in a session. */
    @SuppressWarnings("resource") // that is the point
    private static void leak() {
        try {
            new EventFd();
            Arena.global().allocate(LOST_BYTES).fill((byte) 1);
        } catch (LinuxException e) {
            throw new UncheckedIOException(e);
        }
    }
}
