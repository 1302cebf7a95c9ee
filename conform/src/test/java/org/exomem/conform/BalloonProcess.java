package org.exomem.conform;

import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.exomem.conformance.BalloonBackEnd;
import org.exomem.linux.EventFd;
import org.exomem.linux.LinuxException;

/** A balloon in a process of its own, for what can only be seen or done from outside. */
final class BalloonProcess {
    private static final String LEAKY = "leaky";
    private static final int LEAK_MILLIS = 10;
    private static final long LOST_BYTES = 64 << 10;

    private BalloonProcess() {}

    /** The command that starts it, for a shell. */
    static String command() {
        return command("");
    }

    /** The command that starts one that loses descriptors and memory as long as it runs. */
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
        try (BalloonBackEnd _ = new BalloonBackEnd(Path.of(arguments[0]))) {
            if (arguments.length > 1 && arguments[1].equals(LEAKY)) {
                leak();
            }
            new CountDownLatch(1).await();
        }
    }

    @SuppressWarnings({"resource", "FutureReturnValueIgnored"}) // that is the point
    private static void leak() {
        Executors.newSingleThreadScheduledExecutor()
                .scheduleAtFixedRate(
                        () -> {
                            try {
                                new EventFd();
                                Arena.global().allocate(LOST_BYTES).fill((byte) 1);
                            } catch (LinuxException e) {
                                throw new UncheckedIOException(e);
                            }
                        },
                        0,
                        LEAK_MILLIS,
                        TimeUnit.MILLISECONDS);
    }
}
