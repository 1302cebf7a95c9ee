package org.exomem.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.Exomem;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.process.BackendProcess;
import org.exomem.backend.qmp.QmpClient;

/** The back-end of the demo's guest. */
sealed interface DemoServer extends AutoCloseable {
    /** The name of the only VM. */
    String VM = "demo";

    /** The name of its memory device. */
    String MEMORY_DEVICE = "m0";

    /** The name of the file in the demo's folder with the output of the back-end. */
    String LOG = "log";

    /**
     * The devices that the back-end serves.
     *
     * @param balloons values of {@code --balloon}
     * @param memories values of {@code --mem}
     * @param state value of {@code --state}: without it no guest runs before its memory has arrived
     */
    record Devices(List<String> balloons, List<String> memories, Optional<Path> state) {}

    /** The devices of the demo's guest, and the balloon of the guest that migrates at the end. */
    static Devices devices(Path balloon, Path memory, Path folder) {
        return new Devices(
                List.of("vm=" + VM + ",socket=" + word(balloon), DemoMigration.balloon(folder, DemoMigration.HERE)),
                List.of(memory(memory)),
                Optional.empty());
    }

    /**
     * Starts a back-end. Returns when its control socket answers.
     *
     * @param inThisProcess for the training run of the AOT cache, which records one process only
     */
    static DemoServer start(Started started, boolean inThisProcess, Path control, Path folder, Devices devices)
            throws IOException {
        return inThisProcess
                ? started.add(() -> new Here(control, devices))
                : Child.start(started, control, folder, devices);
    }

    /** A path as a word of an option. */
    static String word(Path path) {
        return path.toString().replace(",", ",,");
    }

    private static String memory(Path socket) {
        return "vm=" + VM + ",id=" + MEMORY_DEVICE + ",addr=4G,size=512M,block=2M,node=1,socket=" + word(socket);
    }

    /** The output of the back-end, as the end of a message; empty if there is none. */
    static String log(Path folder) {
        try {
            Path log = folder.resolve(LOG);
            String lines = Files.exists(log) ? Files.readString(log).strip() : "";
            return lines.isEmpty()
                    ? ""
                    : "\nexomem serve wrote:\n" + lines.indent(2).stripTrailing();
        } catch (IOException e) {
            return "";
        }
    }

    /** True if a process answers on the control socket. */
    static boolean answers(Path control) {
        if (!Files.exists(control)) {
            return false;
        }
        try {
            QmpClient.connect(control).close();
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** The result so far, as text for people. */
    String describe() throws IOException;

    /** Ends the back-end, if it has not ended by itself, and checks that it ended without an error. */
    @Override
    void close() throws IOException;

    /** A separate process, as in real use. */
    final class Child implements DemoServer {
        private static final long START_LIMIT_NANOS = 60_000_000_000L;

        private final Process process;
        private final long begin = System.nanoTime();
        private long startMillis;

        private Child(Process process) {
            this.process = process;
        }

        private static Child start(Started started, Path control, Path folder, Devices devices) throws IOException {
            List<String> words = new ArrayList<>(List.of("serve", "--control", control.toString()));
            devices.balloons().forEach(balloon -> words.addAll(List.of("--balloon", balloon)));
            devices.memories().forEach(memory -> words.addAll(List.of("--mem", memory)));
            devices.state().ifPresent(state -> words.addAll(List.of("--state", state.toString())));
            ProcessBuilder serve = ChildJvm.of(Exomem.class, words.toArray(String[]::new))
                    .redirectError(
                            ProcessBuilder.Redirect.appendTo(folder.resolve(LOG).toFile()));
            Child child = started.add(() -> new Child(serve.start()));
            child.await(control);
            return child;
        }

        private void await(Path control) throws IOException {
            try {
                while (!answers(control)) {
                    if (process.waitFor(2, TimeUnit.MILLISECONDS) || System.nanoTime() - begin > START_LIMIT_NANOS) {
                        throw new DemoFailure("exomem serve did not start");
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new DemoFailure("interrupted");
            }
            startMillis = (System.nanoTime() - begin) / 1_000_000;
        }

        @Override
        public String describe() throws IOException {
            return "process " + process.pid() + " answers after " + startMillis + " ms, with " + (residentBytes() >> 20)
                    + " MiB resident";
        }

        private long residentBytes() throws IOException {
            for (String line : Files.readAllLines(Path.of("/proc", Long.toString(process.pid()), "status"))) {
                if (line.startsWith("VmRSS:")) {
                    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                }
            }
            return 0;
        }

        @Override
        public void close() throws IOException {
            if (!process.isAlive() && process.exitValue() != 0) {
                throw new DemoFailure("exomem serve ended by itself, with exit code " + process.exitValue());
            }
            process.destroy();
            try {
                if (!process.waitFor(5, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                    throw new DemoFailure("exomem serve did not end at SIGTERM");
                }
            } catch (InterruptedException e) {
                process.destroyForcibly();
                Thread.currentThread().interrupt();
            }
            if (process.exitValue() != 0) {
                throw new DemoFailure("exomem serve ended with exit code " + process.exitValue());
            }
        }
    }

    /** In this process. */
    final class Here implements DemoServer {
        private final BackendProcess process = new BackendProcess();

        private Here(Path control, Devices devices) throws IOException {
            try {
                ServeConfig config =
                        new ServeConfig(Optional.of(control), balloons(devices), memories(devices), devices.state());
                process.start(config, Optional.of(control));
            } catch (ConfigException e) {
                throw new DemoFailure(String.valueOf(e.getMessage()));
            }
        }

        private static List<BalloonConfig> balloons(Devices devices) throws ConfigException {
            List<BalloonConfig> parsed = new ArrayList<>();
            for (String words : devices.balloons()) {
                parsed.add(ServeConfig.balloon(words));
            }
            return parsed;
        }

        private static List<MemoryConfig> memories(Devices devices) throws ConfigException {
            List<MemoryConfig> parsed = new ArrayList<>();
            for (String words : devices.memories()) {
                parsed.add(ServeConfig.mem(words));
            }
            return parsed;
        }

        @Override
        public String describe() {
            return "in this process";
        }

        @Override
        public void close() {
            process.close();
        }
    }
}
