package org.exomem.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.exomem.backend.command.ExomemCommand;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;

/**
 * What the one AOT cache of a package is trained with: this process serves by a file, as the package's service does, and runs everyday
 * commands that ask it. One after the other, as far as that goes, so that each run uses the same classes.
 */
final class WholeTraining {
    private static final long MEMORY = 64 << 20;
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final Duration LOOK = Duration.ofMillis(5);

    private WholeTraining() {}

    /** @throws IOException if something did not start or end as it should */
    static void run(Streams streams) throws IOException {
        Started started = new Started();
        try (started) {
            Path folder = started.folder(Path.of(System.getProperty("java.io.tmpdir")));
            Path balloon = folder.resolve("balloon.sock");
            Path memory = folder.resolve("memory.sock");
            Path control = folder.resolve("control.sock");
            Path file = Files.writeString(folder.resolve("exomem.yaml"), """
                    control: control.sock
                    balloons:
                      - vm: demo
                        socket: balloon.sock
                        stats-interval: 1
                    mems:
                      - vm: demo
                        id: m0
                        socket: memory.sock
                        addr: 4G
                        size: 512M
                        block: 2M
                    """);
            // Options are read in another way than the file.
            String other = "vm=other,socket=" + DemoServer.word(folder.resolve("other.sock"));
            int[] code = new int[1];
            Thread serving = Thread.ofPlatform()
                    .name("serve")
                    .start(() -> code[0] =
                            new ExomemCommand().run(streams, "serve", "--config", file.toString(), "--balloon", other));
            await(serving, control);
            GuestProcess guest = started.add(() -> GuestProcess.start(balloon, MEMORY, memory));
            guest.step("attach");
            guest.step("attach-memory");
            guest.tell("follow");
            CommandSeries.run(control.toString(), streams);
            guest.answer("follow");
            new ExomemCommand().run(streams, "quit", "--force", "--control", control.toString());
            if (!serving.join(LIMIT) || code[0] != ExitCode.OK) {
                throw new DemoFailure("exomem serve did not end as it should");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DemoFailure("interrupted");
        }
    }

    private static void await(Thread serving, Path control) throws InterruptedException, DemoFailure {
        long begin = System.nanoTime();
        while (!DemoServer.answers(control)) {
            if (serving.join(LOOK) || System.nanoTime() - begin > LIMIT.toNanos()) {
                throw new DemoFailure("exomem serve did not start");
            }
        }
    }
}
