package org.exomem.demo;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Creates the AOT cache of commands: a JVM with the options of this one runs everyday commands against a process that
 * serves.
 */
final class CommandTraining {
    private static final long MEMORY = 64 << 20;
    private static final int LIMIT_SECONDS = 60;

    private CommandTraining() {}

    /**
     * Creates the cache.
     *
     * @throws IOException if a process did not start or end properly
     */
    static void run(Path cache) throws IOException {
        Started started = new Started();
        try (started) {
            Path folder = started.folder(Path.of(System.getProperty("java.io.tmpdir")));
            Path balloon = folder.resolve("balloon.sock");
            Path memory = folder.resolve("memory.sock");
            Path control = folder.resolve("control.sock");
            DemoServer.start(started, false, control, folder, DemoServer.devices(balloon, memory, folder));
            GuestProcess guest = started.add(() -> GuestProcess.start(balloon, MEMORY, memory));
            guest.step("attach");
            guest.step("attach-memory");
            guest.tell("follow");
            train(cache, control);
            guest.answer("follow");
        }
    }

    private static void train(Path cache, Path control) throws IOException {
        List<String> words = new ArrayList<>();
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        words.add("-XX:AOTCacheOutput=" + cache);
        words.addAll(List.of("-jar", System.getProperty("java.class.path")));
        words.addAll(List.of("demo", DemoCommand.COMMAND_SERIES, control.toString()));
        Process process = new ProcessBuilder(words).inheritIO().start();
        try {
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                throw new DemoFailure("the training did not end within " + LIMIT_SECONDS + " s");
            }
            if (process.exitValue() != 0) {
                throw new DemoFailure("the training ended with exit code " + process.exitValue());
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new DemoFailure("interrupted");
        }
    }
}
