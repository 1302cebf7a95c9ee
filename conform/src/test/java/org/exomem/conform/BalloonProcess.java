package org.exomem.conform;

import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.exomem.conformance.BalloonBackEnd;

/** A balloon in a process of its own, for what can only be seen or done from outside. */
final class BalloonProcess {
    private BalloonProcess() {}

    /** The command that starts it, for a shell. */
    static String command() {
        return String.join(
                " ",
                "exec",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx64m --enable-native-access=ALL-UNNAMED",
                "-cp '" + System.getProperty("java.class.path") + "'",
                BalloonProcess.class.getName(),
                "{socket}");
    }

    public static void main(String[] arguments) throws Exception {
        try (BalloonBackEnd _ = new BalloonBackEnd(Path.of(arguments[0]))) {
            new CountDownLatch(1).await();
        }
    }
}
